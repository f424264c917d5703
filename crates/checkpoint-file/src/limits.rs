//! Bounds on what a file may make the reader do.
//!
//! Every length in a file is first compared with the bytes that are left. What a pickle makes takes at most about a
//! hundred bytes for each of its instructions, of which one byte can be one; these bounds keep it there, and time with
//! it, however often a short file refers to the same objects.

/// Pickle instructions in one file, nested streams included.
///
/// A 1024x1024 generator with its discriminator and moving average takes about 60 thousand, with optimizer states 200
/// thousand.
pub(crate) const INSTRUCTIONS: usize = 1 << 22;

/// Streams inside streams: an official pickle holds `torch.save` streams, and those hold nothing further.
pub(crate) const NESTED_STREAMS: usize = 1;

/// Containers inside containers on the way to a tensor or a configuration value. `synthesis.b4.conv1.affine.weight` in
/// an official pickle takes 6.
pub(crate) const DEPTH: usize = 64;

/// Bytes of one tensor's full name.
pub(crate) const NAME_BYTES: usize = 512;

/// Bytes of one integer; the magic number of `torch.save` has 10.
pub(crate) const INTEGER_BYTES: usize = 16;

/// Dimensions of a tensor; networks use at most 5.
pub(crate) const DIMENSIONS: usize = 16;

/// Bytes of all configuration values of a file as JSON; larger values are left out.
pub(crate) const CONFIGURATION_BYTES: usize = 1 << 18;

/// Bytes that are kept of the module's and of the name of a class that is not known.
pub(crate) const CLASS_BYTES: usize = 128;

/// Attributes of one module; PyTorch gives it about 20 and the official layers add about 15.
pub(crate) const ATTRIBUTES: usize = 1024;

/// The safetensors format's own bound on its header.
pub(crate) const SAFETENSORS_HEADER_BYTES: u64 = 100_000_000;

/// How many values may be visited in what `instructions` instructions have made.
///
/// Each instruction makes at most one value. Weights shared by two modules are visited twice; far more visits mean
/// that a short file unfolds into an endless one. Entries of a dict that are looked through count like visits.
pub(crate) fn visits(instructions: usize) -> usize {
    2 * instructions + 1024
}

/// How many bytes of rearranged copies may be made of a file of `file` bytes.
///
/// Channels-last weights are rearranged once each; the constant lets small files share a storage among many views.
pub(crate) fn rearranged_bytes(file: usize) -> usize {
    2 * file + (1 << 16)
}

/// How many bytes of byte strings that are stored as text may be decoded of a file of `file` bytes.
///
/// Such text takes at least as many bytes in the file and is decoded once; the constant lets small files share it.
pub(crate) fn decoded_bytes(file: usize) -> usize {
    2 * file + (1 << 16)
}

/// How many bytes compressed arrays of a numpy archive of `file` bytes may have outside of it.
///
/// Latents of 18 equal layers compress to about a twentieth; a hostile file could ask for a thousand times its size.
pub(crate) fn inflated_bytes(file: usize) -> usize {
    64 * file + (1 << 16)
}

/// What an entry of a table (a tensor, a network, a metadata entry) takes beside its name: a description and its share
/// of a tree.
pub(crate) const ENTRY_BYTES: usize = 192;

/// How many bytes the tables of what a file of `file` bytes holds may take.
///
/// No pickle makes and names a tensor in less than some 60 bytes, so that 16 times as much leaves room for names of any
/// legal length; more is asked for where one object is listed again and again. The constant is for small files that
/// share a few tensors.
pub(crate) fn table_bytes(file: usize) -> usize {
    16 * file + (1 << 20)
}

/// How many bytes of JSON may be written in the attempt to find small values in a file of `file` bytes.
///
/// An item of a list takes two bytes in a file and counts as 24 in JSON, so that no file without shared objects meets
/// this bound.
pub(crate) fn attempted_bytes(file: usize) -> usize {
    16 * file + 4 * CONFIGURATION_BYTES
}

/// Characters that are kept of the name of an element type that is not read; those of published formats have at most
/// 15, and functions that make tensors of other types about 30.
pub(crate) const ELEMENT_TYPE_CHARACTERS: usize = 64;

//! What a short file may make the reader allocate, measured by a counting allocator.

use checkpoint_file::Checkpoint;
use testkit::peak_of;

use crate::pickle_writer::Pickle;

/// "A 1 KB file can never allocate more than a few MB."
const FEW_MEGABYTES: usize = 3 << 20;
const ONE_KILOBYTE: usize = 1024;

#[track_caller]
fn assert_small(what: &str, bytes: &[u8]) {
    assert!(bytes.len() <= ONE_KILOBYTE, "{what} has {}", bytes.len());
    let (peak, result) = peak_of(|| Checkpoint::from_bytes("small", bytes).map(|_| ()));
    assert!(
        peak <= FEW_MEGABYTES,
        "{what} allocates {peak} bytes and gives {result:?}"
    );
}

#[test]
fn declared_lengths_are_not_believed() {
    let huge = u64::MAX.to_le_bytes();
    for code in [b'X', b'B', b'T', 0x8B] {
        let mut pickle = vec![0x80, 2, code];
        pickle.extend(&huge[..4]);
        assert_small("a length of 32 bits", &pickle);
    }
    for code in [0x8D, 0x8E, 0x96, 0x95] {
        let mut pickle = vec![0x80, 4, code];
        pickle.extend(huge);
        assert_small("a length of 64 bits", &pickle);
    }
    for header in [99_999_999u64, u64::MAX, 1 << 62] {
        let mut file = header.to_le_bytes().to_vec();
        file.extend(b"{\"a\":");
        assert_small("a safetensors header", &file);
    }
    let header = br#"{"a":{"dtype":"F64","shape":[18446744073709551615,0],"data_offsets":[0,0]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    assert_small("a safetensors shape", &file);
    // An archive's end that declares 2^64 - 1 entries.
    let mut file = b"PK\x03\x04".to_vec();
    file.extend(b"PK\x06\x06");
    file.extend([0; 20]);
    file.extend([0xFF; 24]);
    file.extend(0u64.to_le_bytes());
    file.extend(b"PK\x06\x07");
    file.extend([0; 4]);
    file.extend(4u64.to_le_bytes());
    file.extend([0; 4]);
    file.extend(b"PK\x05\x06");
    file.extend([0xFF; 18]);
    assert_small("an archive's directory", &file);
}

#[test]
fn every_byte_as_an_instruction_stays_small() {
    for code in 0..=u8::MAX {
        let mut pickle = vec![0x80, 4];
        pickle.resize(ONE_KILOBYTE, code);
        assert_small(&format!("repeated 0x{code:02x}"), &pickle);
        // With something on the stack to work on.
        let mut pickle = b"\x80\x04]}(((NNN".to_vec();
        pickle.resize(ONE_KILOBYTE, code);
        assert_small(&format!("repeated 0x{code:02x} after marks"), &pickle);
    }
}

#[test]
fn shared_objects_are_not_unfolded() {
    // Each level refers twice to the level below: 2^60 paths.
    let mut pickle = Pickle::new();
    pickle.dict().put(0);
    for level in 1..60u8 {
        pickle.dict().put(level).mark();
        pickle.int(1).get(level - 1).int(2).get(level - 1);
        pickle.set_items();
    }
    pickle.mark().text("a").get(59).set_items();
    assert_small("a lattice of dicts", &pickle.stop());

    // The same below a configuration value, and with a long text at the end of every path.
    let mut pickle = Pickle::new();
    pickle.text(&"x".repeat(400)).put(0).pop();
    pickle.list().put(1).mark().get(0).get(0).appends();
    for level in 2..60u8 {
        pickle.list().put(level).mark();
        pickle.get(level - 1).get(level - 1).appends();
    }
    pickle.pop().dict().text("config").get(59).set_item();
    assert_small("a lattice of lists", &pickle.stop());
}

#[test]
fn long_names_and_shared_arrays_stay_small() {
    let mut pickle = Pickle::new();
    pickle.text(&"n".repeat(200)).put(0).pop();
    pickle.numpy_array(&[4], "f4", &[0u8; 16]).put(1).pop();
    pickle.dict().put(2).pop();
    // One dict of many names for one array, below itself at several depths.
    pickle.get(2).mark();
    for key in 0..30u8 {
        pickle.int(i32::from(key)).get(1);
    }
    pickle.set_items().pop();
    for level in 3..30u8 {
        pickle.dict().put(level).mark();
        pickle.get(0).get(level - 1).int(1).get(2);
        pickle.set_items().pop();
    }
    pickle.get(29);
    assert_small("long names", &pickle.stop());

    // Copies of one state, and of one byte string.
    let mut pickle = Pickle::new();
    pickle.dict().put(0).mark();
    for key in 0..100u8 {
        pickle.int(i32::from(key)).none();
    }
    pickle.set_items().pop();
    pickle.global("argparse", "Namespace").put(1).pop();
    pickle.mark();
    while pickle.len() < 1000 {
        pickle.get(1).empty_tuple().new_object().get(0).build();
    }
    pickle.tuple();
    assert_small("copied attributes", &pickle.stop());
}

/// What a byte of the file may take at most: a list of 24 bytes in a growing table of objects, on a growing stack and
/// in a growing memo.
const BYTES_PER_BYTE: usize = 128;

#[track_caller]
fn assert_proportional(what: &str, bytes: &[u8]) {
    let (peak, result) = peak_of(|| Checkpoint::from_bytes("large", bytes).map(|_| ()));
    assert!(
        peak <= BYTES_PER_BYTE * bytes.len() + FEW_MEGABYTES,
        "{what} of {} bytes allocates {peak} and gives {result:?}",
        bytes.len()
    );
}

#[test]
fn memory_is_proportional_to_the_file() {
    const LENGTH: usize = 1 << 20;
    for code in b"}])(N2\x94\x8f\x88" {
        let mut pickle = b"\x80\x04N".to_vec();
        pickle.resize(LENGTH, *code);
        assert_proportional(&format!("repeated 0x{code:02x}"), &pickle);
    }
    for codes in [&b"}\x94"[..], b")\x94", b"]2a", b"N\x85", b"K\x01"] {
        let mut pickle = b"\x80\x04".to_vec();
        pickle.extend(codes.repeat(LENGTH / codes.len()));
        assert_proportional(&format!("repeated {codes:02x?}"), &pickle);
    }

    // One array under a million names, each of 500 bytes.
    let name = "n".repeat(490);
    let mut pickle = Pickle::new();
    pickle.numpy_array(&[1], "u1", &[0]).put(0).pop();
    pickle.dict().text(&name).list().mark().get(0);
    pickle.raw(&vec![b'2'; LENGTH]).appends().set_item();
    let pickle = pickle.stop();
    assert_proportional("an array of many names", &pickle);
    assert!(crate::refusal(&pickle).contains("bytes of names"));

    // Networks without tensors under long names.
    let mut pickle = Pickle::new();
    pickle.text("class_name").text(&name).put(0).pop().pop();
    pickle.global("torch_utils.persistence", "_reconstruct_persistent_obj");
    pickle.dict().mark().text("class_name").get(0).text("state");
    pickle.dict().mark().text("_parameters").dict().put(2);
    pickle.text("_buffers").get(2).text("_modules").get(2);
    pickle.set_items().set_items();
    pickle.raw(b"\x85R").put(1).pop().dict().mark();
    while pickle.len() < LENGTH {
        pickle.get(0).get(1);
    }
    let pickle = pickle.set_items().stop();
    assert_proportional("a network of many names", &pickle);
    assert!(crate::refusal(&pickle).contains("bytes of names"));
}

//! What real files hold.

use std::collections::BTreeMap;

use checkpoint_file::{
    Checkpoint, CheckpointError, FloatPrecision, Format, StoredDType, StoredTensor,
    save_safetensors,
};

use crate::pickle_writer::{Pickle, torch_stream};
use crate::zip_writer::{self, torch_archive};
use crate::{reference, zip_writer::entries};

fn open(file: &str) -> Checkpoint {
    Checkpoint::from_bytes(file, &reference(file)).unwrap()
}

#[test]
fn an_official_pickle_lists_its_networks_with_their_arguments() {
    let checkpoint = open("nvidia_ada.pkl");
    assert_eq!(checkpoint.format(), Some(Format::Pickle));
    let names: Vec<&str> = checkpoint.networks().iter().map(|n| n.name()).collect();
    assert_eq!(names, ["G", "D", "G_ema"]);
    let generator = &checkpoint.networks()[2];
    assert_eq!(generator.class_name(), Some("Generator"));
    let config = generator.config().unwrap();
    let resolution = config["img_resolution"].as_u64().unwrap();

    let alone = checkpoint.network("G_ema").unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&alone.metadata()["config"]).unwrap(),
        *config
    );
    assert_eq!(alone.metadata()["class_name"], "Generator");
    assert!(!alone.metadata().contains_key("D.config"));
    assert!(alone.networks().is_empty());
    let discriminator = checkpoint.rename(|name| name.starts_with("D.").then(|| name.to_owned()));
    assert_eq!(discriminator.networks(), &checkpoint.networks()[1..2]);
    let name = format!("synthesis.b{resolution}.conv1.noise_const");
    let side = resolution as usize;
    assert_eq!(alone.tensors()[&name].shape(), [side, side]);
    // A parameter without dimensions.
    let strength = &alone.tensors()["synthesis.b4.conv1.noise_strength"];
    assert_eq!(
        (strength.dtype(), strength.shape().len()),
        (StoredDType::F32, 0)
    );
}

#[test]
fn both_formats_of_torch_save_hold_the_same_generator() {
    let archive = open("rosinality.pt");
    let stream = open("rosinality_legacy.pt");
    assert_eq!(archive.format(), Some(Format::TorchArchive));
    assert_eq!(stream.format(), Some(Format::TorchStream));
    assert_eq!(
        archive.network("g_ema").unwrap().tensors(),
        stream.network("g_ema").unwrap().tensors()
    );
    assert_eq!(
        archive.tensors()["latent_avg"],
        stream.tensors()["latent_avg"]
    );
    let mut names: Vec<&str> = stream.networks().iter().map(|n| n.name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["d", "g", "g_ema"]);
    // What is no tensor is kept as JSON.
    let arguments: serde_json::Value = serde_json::from_str(&stream.metadata()["args"]).unwrap();
    // The last noise image is as large as the images.
    let noises = stream.subset("g_ema.noises.").tensors().len();
    let last = format!("g_ema.noises.noise_{}", noises - 1);
    assert_eq!(
        arguments["size"].as_u64().unwrap() as usize,
        stream.tensors()[&last].shape()[3]
    );
}

#[test]
fn tensors_equal_an_independent_reading_of_the_archive() {
    let archive = reference("rosinality.pt");
    let latent_average = open("rosinality.pt").tensors()["latent_avg"].clone();
    let expected = open("rosinality.expected.safetensors");
    assert_eq!(latent_average, expected.tensors()["latent_avg"]);
    // Every storage is used whole, so the tensors' bytes are those of the entries.
    let mut stored: Vec<Vec<u8>> = entries(&archive)
        .into_iter()
        .filter(|(name, _)| name.contains("/data/"))
        .map(|(_, content)| content)
        .collect();
    let mut read: Vec<Vec<u8>> = open("rosinality.pt")
        .tensors()
        .values()
        .map(|tensor| tensor.bytes().to_vec())
        .collect();
    stored.sort();
    read.sort();
    assert_eq!(stored, read);
}

#[test]
fn an_archive_may_have_any_prefix() {
    let renamed: Vec<(String, Vec<u8>)> = entries(&reference("rosinality.pt"))
        .into_iter()
        .map(|(name, content)| {
            let (_, rest) = name.split_once('/').unwrap();
            (format!("archive/{rest}"), content)
        })
        .collect();
    let renamed = Checkpoint::from_bytes("renamed", &zip_writer::archive(&renamed)).unwrap();
    assert_eq!(renamed.tensors(), open("rosinality.pt").tensors());
}

#[test]
fn an_archive_with_large_file_records_is_read() {
    use std::io::Write;
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .large_file(true);
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries(&reference("rosinality.pt")) {
        writer.start_file(name, options).unwrap();
        writer.write_all(&content).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    let read = Checkpoint::from_bytes("large", &bytes).unwrap();
    assert_eq!(read.tensors(), open("rosinality.pt").tensors());
}

#[test]
fn strided_views_are_put_in_order() {
    let content: Vec<u8> = (0..12).flat_map(|v| (v as f32).to_le_bytes()).collect();
    let mut pickle = Pickle::new();
    pickle.dict().mark();
    pickle
        .text("transposed")
        .torch_tensor("0", ("FloatStorage", 12), 0, &[4, 3], &[1, 4]);
    pickle
        .text("row")
        .torch_tensor("0", ("FloatStorage", 12), 4, &[4], &[1]);
    pickle.text("channels_last").torch_tensor(
        "0",
        ("FloatStorage", 12),
        0,
        &[1, 2, 2, 3],
        &[12, 1, 6, 2],
    );
    let pickle = pickle.set_items().stop();
    for file in [
        torch_archive(&pickle, &[("0", &content)]),
        torch_stream(&pickle, &[("0", 12, &content)]),
    ] {
        let read = Checkpoint::from_bytes("views", &file).unwrap();
        let values = |name: &str| read.tensors()[name].to_f32();
        assert_eq!(
            values("transposed"),
            [0., 4., 8., 1., 5., 9., 2., 6., 10., 3., 7., 11.]
        );
        assert_eq!(values("row"), [4., 5., 6., 7.]);
        assert_eq!(
            values("channels_last"),
            [0., 2., 4., 6., 8., 10., 1., 3., 5., 7., 9., 11.]
        );
    }
}

#[test]
fn streams_of_later_protocols_are_recognized() {
    // The first pickle of `torch.save(.., pickle_protocol=4)` has a frame around the magic number.
    let mut pickle = Pickle::new();
    pickle
        .dict()
        .text("x")
        .torch_tensor("0", ("ByteStorage", 1), 0, &[1], &[1]);
    let stream = torch_stream(&pickle.set_item().stop(), &[("0", 1, &[5])]);
    let magic = stream.iter().position(|byte| *byte == b'.').unwrap();
    let mut framed = b"\x80\x04\x95".to_vec();
    framed.extend((magic as u64 - 1).to_le_bytes());
    framed.extend(&stream[2..]);
    let read = Checkpoint::from_bytes("framed", &framed).unwrap();
    assert_eq!(read.format(), Some(Format::TorchStream));
    assert_eq!(read.tensors()["x"].to_f32(), [5.0]);
}

#[test]
fn big_endian_archives_are_turned_around() {
    let content: Vec<u8> = [1.5f32, -2.0]
        .iter()
        .flat_map(|v| v.to_be_bytes())
        .collect();
    let mut pickle = Pickle::new();
    pickle
        .dict()
        .text("x")
        .torch_tensor("0", ("FloatStorage", 2), 0, &[2], &[1]);
    let pickle = pickle.set_item().stop();
    let file = zip_writer::archive(&[
        ("m/data.pkl".to_owned(), pickle),
        ("m/byteorder".to_owned(), b"big".to_vec()),
        ("m/data/0".to_owned(), content),
    ]);
    let read = Checkpoint::from_bytes("big", &file).unwrap();
    assert_eq!(read.tensors()["x"].to_f32(), [1.5, -2.0]);
}

#[test]
fn every_storage_type_keeps_its_element_type() {
    for (storage, dtype, one) in [
        (
            "DoubleStorage",
            StoredDType::F64,
            1f64.to_le_bytes().to_vec(),
        ),
        (
            "FloatStorage",
            StoredDType::F32,
            1f32.to_le_bytes().to_vec(),
        ),
        ("HalfStorage", StoredDType::F16, vec![0x00, 0x3C]),
        ("BFloat16Storage", StoredDType::BF16, vec![0x80, 0x3F]),
        ("LongStorage", StoredDType::I64, 1i64.to_le_bytes().to_vec()),
        ("IntStorage", StoredDType::I32, 1i32.to_le_bytes().to_vec()),
        (
            "ShortStorage",
            StoredDType::I16,
            1i16.to_le_bytes().to_vec(),
        ),
        ("CharStorage", StoredDType::I8, vec![1]),
        ("ByteStorage", StoredDType::U8, vec![1]),
        ("BoolStorage", StoredDType::Bool, vec![1]),
    ] {
        let mut pickle = Pickle::new();
        pickle
            .dict()
            .text("x")
            .torch_tensor("k", (storage, 1), 0, &[], &[]);
        let pickle = pickle.set_item().stop();
        let read = Checkpoint::from_bytes("x", &torch_archive(&pickle, &[("k", &one)])).unwrap();
        let tensor = &read.tensors()["x"];
        assert_eq!(
            (tensor.dtype(), tensor.to_f32()),
            (dtype, vec![1.0]),
            "{storage}"
        );
    }
}

#[test]
fn saved_files_are_read_back_in_every_precision() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.safetensors");
    let original = open("rosinality.pt");
    for (precision, dtype, relative, absolute) in [
        (FloatPrecision::F32, StoredDType::F32, 0.0, 0.0),
        // Half the spacing of numbers with 11 and with 8 significant bits, and half the smallest positive number, 2^-24
        // and 2^-133.
        (
            FloatPrecision::F16,
            StoredDType::F16,
            2f64.powi(-11),
            2f64.powi(-25),
        ),
        (
            FloatPrecision::BF16,
            StoredDType::BF16,
            2f64.powi(-8),
            2f64.powi(-134),
        ),
    ] {
        save_safetensors(&path, original.tensors(), original.metadata(), precision).unwrap();
        let saved = Checkpoint::open(&path).unwrap();
        assert_eq!(saved.tensors().len(), original.tensors().len());
        for (name, tensor) in saved.tensors() {
            assert_eq!(tensor.dtype(), dtype);
            let expected = original.tensors()[name].to_f32();
            for (found, expected) in tensor.to_f32().iter().zip(&expected) {
                let (found, expected) = (f64::from(*found), f64::from(*expected));
                assert!(
                    (found - expected).abs() <= relative * expected.abs() + absolute,
                    "{name}: {found} for {expected} in {precision}"
                );
            }
        }
    }
}

#[test]
fn saved_files_are_read_by_the_formats_own_library() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.safetensors");
    let mut tensors = open("rosinality.pt").tensors().clone();
    tensors.insert(
        "steps".to_owned(),
        StoredTensor::new(StoredDType::I64, vec![1], 7i64.to_le_bytes().to_vec()),
    );
    tensors.insert(
        "mask".to_owned(),
        StoredTensor::new(StoredDType::Bool, vec![3], vec![1, 0, 1]),
    );
    let metadata = BTreeMap::from([("config".to_owned(), "{\"a\": 1}".to_owned())]);
    save_safetensors(&path, &tensors, &metadata, FloatPrecision::F32).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let parsed = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(parsed.len(), tensors.len());
    for (name, tensor) in &tensors {
        let view = parsed.tensor(name).unwrap();
        assert_eq!(
            (view.shape(), view.data()),
            (tensor.shape(), tensor.bytes())
        );
    }
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(
        header.metadata().as_ref().unwrap()["config"],
        metadata["config"]
    );

    let again = folder.path().join("again.safetensors");
    save_safetensors(&again, &tensors, &metadata, FloatPrecision::F32).unwrap();
    assert_eq!(
        std::fs::read(&again).unwrap(),
        bytes,
        "same content, same bytes"
    );
}

#[test]
fn values_beyond_the_precision_are_refused_and_the_old_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.safetensors");
    let tensors = BTreeMap::from([(
        "weight".to_owned(),
        // The largest f16 is 65504.
        StoredTensor::from_f32(vec![2], &[65504.0, 70000.0]),
    )]);
    let metadata = BTreeMap::new();
    save_safetensors(&path, &tensors, &metadata, FloatPrecision::BF16).unwrap();
    let before = std::fs::read(&path).unwrap();
    let message = save_safetensors(&path, &tensors, &metadata, FloatPrecision::F16)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("weight has the value 70000 at index 1, too large for F16"),
        "{message}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    // A double that is finite, and infinite once it is cast.
    let doubles: Vec<u8> = [1.0f64, 1e300]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let tensors = BTreeMap::from([(
        "weight".to_owned(),
        StoredTensor::new(StoredDType::F64, vec![2], doubles),
    )]);
    for precision in [
        FloatPrecision::F32,
        FloatPrecision::F16,
        FloatPrecision::BF16,
    ] {
        let error = save_safetensors(&path, &tensors, &metadata, precision).unwrap_err();
        assert!(
            matches!(error, CheckpointError::DoesNotFit { index: 1, value, .. } if value == 1e300),
            "{error}"
        );
    }
}

//! Any bytes as the pickle of an archive whose checksums are right, with one storage of 64 bytes.
//! A fuzzer would hardly ever find a right checksum, and so never reach the pickle behind it.

#![no_main]

use checkpoint_file::Checkpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|pickle: &[u8]| {
    let archive = archive(&[("m/data.pkl", pickle), ("m/data/0", &[0x3F; 64])]);
    // Whether it is read or refused: neither may panic, hang or allocate without bound.
    let _ = Checkpoint::from_vec("fuzz", archive);
});

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in entries {
        let offset = file.len() as u32;
        let mut common = vec![0; 8]; // flags, method, time, date
        common.extend(crc32fast::hash(content).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0; 2]); // no extra field
        file.extend(b"PK\x03\x04\x14\0");
        file.extend(&common);
        file.extend(name.as_bytes());
        file.extend(*content);
        directory.extend(b"PK\x01\x02\x14\0\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]); // comment length, disk, attributes
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = file.len() as u32;
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend((entries.len() as u16).to_le_bytes());
    file.extend((entries.len() as u16).to_le_bytes());
    file.extend((directory.len() as u32).to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0; 2]);
    file
}

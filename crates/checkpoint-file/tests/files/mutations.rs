//! 100 thousand damaged versions of the reference files, and as many of each small file of another kind: each is read
//! or refused, none panics or allocates beyond its size.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use checkpoint_file::{Checkpoint, FloatPrecision, StoredTensor, save_safetensors};
use testkit::peak_of;

use crate::foreign_classes::module;
use crate::numpy_files::{array, deflated};
use crate::old_protocols::{protocol_0, protocol_2};
use crate::pickle_writer::Pickle;
use crate::reference;
use crate::torch_script::SCRIPT;
use crate::zip_writer::{archive, entries};

const MUTATIONS: usize = 100_000;

/// What reading may take beside the file itself: tables and views of a real file, then the constants of the crate's
/// limits.
fn allowance(bytes: usize) -> usize {
    6 * bytes + (4 << 20)
}

/// splitmix64: small, seeded and good enough to choose bytes.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.below(items.len())]
    }
}

/// Values at the edges of what lengths, counts and offsets can be.
const EDGES: [u64; 14] = [
    0,
    1,
    2,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFF_FFFF,
    0xFFFF_FFFF,
    0x1_0000_0000,
    0x7FFF_FFFF_FFFF_FFFF,
    0x8000_0000_0000_0000,
    0xFFFF_FFFF_FFFF_FFF0,
    0xFFFF_FFFF_FFFF_FFFF,
];

/// Damage to any bytes: flips, edges, cuts, copies and removals within `range`.
fn damage(random: &mut Random, bytes: &mut Vec<u8>, range: Range<usize>) {
    let range = range.start..range.end.min(bytes.len());
    if range.is_empty() {
        return;
    }
    let at = range.start + random.below(range.len());
    match random.below(8) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next() as u8,
        2 => {
            let edge = random.pick(&EDGES).to_le_bytes();
            let width = *random.pick(&[1, 2, 4, 8]);
            let end = (at + width).min(bytes.len());
            bytes[at..end].copy_from_slice(&edge[..end - at]);
        }
        3 => bytes.truncate(at),
        4 => {
            let end = (at + 1 + random.below(64)).min(bytes.len());
            bytes.drain(at..end);
        }
        5 => {
            let end = (at + 1 + random.below(64)).min(bytes.len());
            let copy = bytes[at..end].to_vec();
            let to = range.start + random.below(range.len());
            bytes.splice(to..to, copy);
        }
        6 => {
            for _ in 0..random.below(16) {
                let at = range.start + random.below(range.len());
                bytes[at] = random.next() as u8;
            }
        }
        _ => {
            let count = 1 + random.below(16);
            let insert: Vec<u8> = (0..count).map(|_| random.next() as u8).collect();
            bytes.splice(at..at, insert);
        }
    }
}

/// Where each instruction of a pickle starts, its end included. An independent, shorter reading of the format than the
/// crate's.
fn instructions(pickle: &[u8]) -> Vec<usize> {
    let little = |at: usize, width: usize| -> usize {
        pickle[at..at + width]
            .iter()
            .rev()
            .fold(0, |n, byte| (n << 8) | usize::from(*byte))
    };
    let mut starts = vec![0];
    let mut at = 0;
    while pickle[at] != b'.' {
        let line = |from: usize| pickle[from..].iter().position(|b| *b == b'\n').unwrap() + 1;
        at += 1 + match pickle[at] {
            0x80 | b'K' | b'q' | b'h' => 1,
            b'M' => 2,
            b'J' | b'j' | b'r' => 4,
            b'G' | 0x95 => 8,
            b'C' | b'U' | 0x8A | 0x8C => 1 + little(at + 1, 1),
            b'X' | b'B' | b'T' => 4 + little(at + 1, 4),
            b'I' | b'L' | b'F' | b'S' | b'V' | b'p' | b'g' => line(at + 1),
            b'c' | b'i' => {
                let first = line(at + 1);
                first + line(at + 1 + first)
            }
            _ => 0,
        };
        starts.push(at);
    }
    starts.push(at + 1);
    starts
}

/// Instructions that take no argument, or one byte.
const CODES: &[u8] = b"(.012NKQR]abdehloqstu})\x92\x80\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x93\x94";

/// Damage that keeps to whole instructions: exchanged, removed, doubled, moved, inserted.
fn rearrange(random: &mut Random, pickle: &mut Vec<u8>, starts: &[usize]) {
    let count = starts.len() - 1;
    let instruction = |index: usize| starts[index]..starts[index + 1];
    let index = random.below(count);
    let here = instruction(index);
    let other = instruction(random.below(count));
    match random.below(6) {
        0 => pickle[here.start] = *random.pick(CODES),
        1 => drop(pickle.drain(here)),
        2 => {
            let copy = pickle[other].to_vec();
            pickle.splice(here.start..here.start, copy);
        }
        3 => {
            let copy = pickle[other].to_vec();
            pickle.splice(here, copy);
        }
        4 => {
            let inserted = [*random.pick(CODES), random.next() as u8];
            let length = 1 + random.below(2);
            pickle.splice(here.start..here.start, inserted[..length].iter().copied());
        }
        _ => {
            // A run of instructions again and again, which is how short files grow large.
            let end = starts[(index + 1 + random.below(8)).min(count)];
            let run = pickle[here.start..end].repeat(1 + random.below(20));
            pickle.splice(here.start..here.start, run);
        }
    }
}

/// Reads what `mutate` makes and says whether it was read; panics where reading does, or where a bound is broken.
fn check(what: &str, mutate: impl Fn() -> Vec<u8>) -> bool {
    let bytes = mutate();
    let length = bytes.len();
    let (peak, result) =
        peak_of(|| catch_unwind(AssertUnwindSafe(|| Checkpoint::from_vec("mutation", bytes))));
    let write_down = || {
        let path = std::env::temp_dir().join("checkpoint-mutation.bin");
        std::fs::write(&path, mutate()).unwrap();
        path
    };
    let Ok(result) = result else {
        panic!("{what} panics; see {}", write_down().display());
    };
    assert!(
        peak <= allowance(length),
        "{what} of {length} bytes allocates {peak}; see {}",
        write_down().display()
    );
    match result {
        Ok(checkpoint) => {
            for (name, tensor) in checkpoint.tensors() {
                let elements: usize = tensor.shape().iter().product();
                assert_eq!(
                    tensor.bytes().len(),
                    elements * tensor.dtype().size(),
                    "{name}"
                );
            }
            for network in checkpoint.networks() {
                checkpoint.network(network.name()).unwrap();
            }
            true
        }
        Err(error) => {
            assert!(error.to_string().contains("mutation"), "{error}");
            false
        }
    }
}

/// Runs `count` mutations on all processors; `mutate` makes one from its own seed. Some must be refused; how many are
/// still read says that the damage is not only gross.
fn run(what: &str, count: usize, mutate: impl Fn(&mut Random) -> Vec<u8> + Sync) {
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
    let read: usize = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..workers)
            .map(|worker| {
                let mutate = &mutate;
                scope.spawn(move || {
                    (worker..count)
                        .step_by(workers)
                        .filter(|seed| {
                            check(&format!("{what}, seed {seed}"), || {
                                mutate(&mut Random(*seed as u64))
                            })
                        })
                        .count()
                })
            })
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap())
            .sum()
    });
    assert!(read < count, "{what}: no mutation was refused");
    assert!(read > 0, "{what}: no mutation was read");
}

#[test]
fn mutations_of_whole_files() {
    for (file, share) in [
        ("rosinality.pt", 16),
        ("rosinality_legacy.pt", 16),
        ("rosinality.expected.safetensors", 20),
        ("nvidia_ada.pkl", 2),
    ] {
        let original = reference(file);
        run(file, MUTATIONS * share / 100, |random| {
            let mut bytes = original.clone();
            for _ in 0..1 + random.below(3) {
                let range = 0..bytes.len();
                damage(random, &mut bytes, range);
            }
            bytes
        });
    }
}

#[test]
fn mutations_of_a_pickle_in_an_archive_with_its_checksum_made_right() {
    mutate_archive(
        "data.pkl",
        &reference("rosinality.pt"),
        MUTATIONS * 20 / 100,
    );
}

#[test]
fn mutations_of_torch_script() {
    mutate_archive("data.pkl of TorchScript", SCRIPT, MUTATIONS);
}

fn mutate_archive(what: &str, file: &[u8], count: usize) {
    let original = entries(file);
    let pickle = original
        .iter()
        .position(|(name, _)| name.ends_with("/data.pkl"))
        .unwrap();
    let starts = instructions(&original[pickle].1);
    run(what, count, |random| {
        let mut changed = original.clone();
        let bytes = &mut changed[pickle].1;
        match random.below(3) {
            0 => {
                let range = 0..bytes.len();
                damage(random, bytes, range);
            }
            _ => rearrange(random, bytes, &starts),
        }
        // Storages and names too, now and then.
        if random.below(8) == 0 {
            let entry = random.below(changed.len());
            let range = 0..changed[entry].1.len();
            damage(random, &mut changed[entry].1, range);
        }
        archive(&changed)
    });
}

#[test]
fn mutations_of_a_streams_instructions() {
    let original = reference("rosinality_legacy.pt");
    // Magic number, protocol, system, object and keys: five pickles in a row, then storages.
    let mut starts: Vec<usize> = Vec::new();
    let mut at = 0;
    for _ in 0..5 {
        let here = instructions(&original[at..]);
        starts.extend(here.iter().map(|start| at + start));
        at = *starts.last().unwrap();
        starts.pop();
    }
    starts.push(at);
    run("stream", MUTATIONS * 15 / 100, |random| {
        let mut bytes = original.clone();
        rearrange(random, &mut bytes, &starts);
        bytes
    });
}

#[test]
fn mutations_of_an_official_pickles_instructions() {
    let original = reference("nvidia_ada.pkl");
    let starts = instructions(&original);
    run("official pickle", MUTATIONS * 3 / 100, |random| {
        let mut bytes = original.clone();
        rearrange(random, &mut bytes, &starts);
        bytes
    });
}

/// Small files of every kind that people's tools write, each damaged and its instructions rearranged.
#[test]
fn mutations_of_files_of_other_tools() {
    let whole_module = {
        let mut pickle = Pickle::new();
        let weight = |p: &mut Pickle| {
            p.text("weight")
                .numpy_array(&[2], "f4", &[0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]);
        };
        pickle.dict().mark().text("g_ema");
        module(&mut pickle, ("model", "Generator"), &weight, &|p| {
            p.text("conv");
            module(p, ("torch.nn.modules.conv", "Conv2d"), &weight, &|_| {});
        });
        pickle
            .text("hook")
            .global("os", "system")
            .text("echo")
            .raw(b"\x85")
            .reduce();
        pickle
            .text("d")
            .global("my.code", "AttrDict")
            .empty_tuple()
            .new_object()
            .mark();
        weight(&mut pickle);
        pickle.set_items().set_items().stop()
    };
    for (what, original) in [
        ("a whole module", whole_module),
        ("protocol 2", protocol_2()),
        ("protocol 0", protocol_0()),
    ] {
        let starts = instructions(&original);
        run(what, MUTATIONS, |random| {
            let mut bytes = original.clone();
            for _ in 0..1 + random.below(2) {
                if random.below(2) == 0 {
                    let range = 0..bytes.len();
                    damage(random, &mut bytes, range);
                } else if bytes == original {
                    rearrange(random, &mut bytes, &starts);
                }
            }
            bytes
        });
    }
}

#[test]
fn mutations_of_numpy_files() {
    let content = [0, 0, 0x80, 0x3F].repeat(24);
    let w = array("<f4", false, "(1, 8, 3)", &content);
    let stored = archive(&[("w.npy".to_owned(), w.clone())]);
    let compressed = deflated(&[("w.npy", w.clone()), ("v.npy", w.clone())]);
    for (what, original) in [("npy", w), ("npz", stored), ("compressed npz", compressed)] {
        run(what, MUTATIONS, |random| {
            let mut bytes = original.clone();
            for _ in 0..1 + random.below(3) {
                let range = 0..bytes.len();
                damage(random, &mut bytes, range);
            }
            bytes
        });
    }
}

#[test]
fn mutations_of_a_file_of_our_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.safetensors");
    let tensor = StoredTensor::from_f32(vec![4, 4], &[1.5; 16]);
    let tensors = [("w_plus".to_owned(), tensor)].into();
    let metadata = [("model".to_owned(), "micah".to_owned())].into();
    save_safetensors(&path, &tensors, &metadata, FloatPrecision::F32).unwrap();
    let original = std::fs::read(&path).unwrap();
    run("our own", MUTATIONS, |random| {
        let mut bytes = original.clone();
        // Now and then none, as hardly any damage leaves the hash right.
        for _ in 0..random.below(4) {
            let range = 0..bytes.len();
            damage(random, &mut bytes, range);
        }
        bytes
    });
}

#[test]
fn mutations_of_a_safetensors_header() {
    let original = reference("rosinality.expected.safetensors");
    let length = u64::from_le_bytes(*original.first_chunk().unwrap()) as usize;
    run("header", MUTATIONS * 8 / 100, |random| {
        let mut header = original[8..8 + length].to_vec();
        match random.below(3) {
            0 => {
                let range = 0..header.len();
                damage(random, &mut header, range);
            }
            1 => {
                // A digit into another, or into many.
                let digits: Vec<usize> = (0..header.len())
                    .filter(|at| header[*at].is_ascii_digit())
                    .collect();
                let at = *random.pick(&digits);
                let count = *random.pick(&[1, 1, 1, 2, 12, 21]);
                let run: Vec<u8> = (0..count).map(|_| b'0' + random.below(10) as u8).collect();
                header.splice(at..=at, run);
            }
            _ => {
                let at = random.below(header.len());
                header[at] = *random.pick(b"{}[]\",:0-e. ");
            }
        }
        // The declared length is right most of the time, so that the header itself is what is tested.
        let declared = match random.below(5) {
            0 => *random.pick(&EDGES),
            _ => header.len() as u64,
        };
        let mut bytes = declared.to_le_bytes().to_vec();
        bytes.extend(&header);
        bytes.extend(&original[8 + length..]);
        bytes
    });
}

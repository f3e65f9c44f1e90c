//! Compressed files, read like plain ones.

use super::*;
use flate2::write::GzEncoder;

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_files_are_read_like_plain_ones_and_reopened_at_each_position() {
    let plain = b"at,symbol,price\n1,a,1.5\n2,b,2.5\n3,c,3.5\n";
    let two_members = [gzipped(&plain[..20]), gzipped(&plain[20..])].concat();
    let zst = zstd::encode_all(&plain[..], 1).unwrap();
    let folder = folder();
    let expected = [trade(1, "a", 1.5), trade(2, "b", 2.5), trade(3, "c", 3.5)];
    for (name, bytes) in [("t.csv.gz", two_members), ("t.csv.zst", zst)] {
        let path = file(folder.path(), name, bytes);
        let source = csv::<Trade>(&path).stride(1);
        assert_eq!(source.partitions(4).unwrap(), std::slice::from_ref(&path));
        let mut reader = source.open(&path, None, Arc::new(|| ())).unwrap();
        let mut before = Vec::new();
        loop {
            let position = reader.position();
            let (after, _) = drain(&source, &path, Some(&position), 1).unwrap();
            assert_eq!([before.clone(), after].concat(), expected);
            if reader.poll(1, &mut before).unwrap() == Polled::Ended {
                break;
            }
        }
    }
}

#[test]
fn a_damaged_file_is_an_error_that_names_it() {
    let folder = folder();
    let mut bytes = gzipped(&b"at,symbol,price\n1,a,1.5\n".repeat(1000));
    bytes.truncate(bytes.len() / 2);
    let path = file(folder.path(), "t.gz", bytes);
    let error = error(read(&text(&path), 1));
    assert_eq!(error.kind(), ErrorKind::Read);
    assert!(error.to_string().contains("t.gz after byte"), "{error}");
}

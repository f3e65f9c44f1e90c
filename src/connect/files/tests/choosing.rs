//! Which files are read, and which settings are refused.

use super::*;

#[test]
fn a_folder_is_its_files_sorted_without_hidden_ones() {
    let folder = folder();
    for name in ["b", "a", ".hidden"] {
        file(folder.path(), name, format!("{name}\n"));
    }
    fs::create_dir(folder.path().join("below")).unwrap();
    file(&folder.path().join("below"), "c", "c\n");
    assert_eq!(read(&text(folder.path()), 2).unwrap().0, ["a", "b"]);
    let deep = format!("{}/**/[a-z]*", folder.path().display());
    assert_eq!(read(&text(deep), 2).unwrap().0, ["a", "b", "c"]);
}

#[test]
fn a_file_named_twice_is_read_once() {
    let folder = folder();
    let path = file(folder.path(), "a", "a\n");
    let all = format!("{}/*", folder.path().display());
    assert_eq!(read(&text(vec![path, all]), 1).unwrap().0, ["a"]);
}

#[test]
fn what_leads_to_no_file_is_an_error_that_names_it() {
    let folder = folder();
    let base = folder.path().display().to_string();
    let check = |path: &str, words: &str| {
        let error = error(text(path).partitions(1));
        assert_eq!(error.kind(), ErrorKind::Read);
        assert!(error.to_string().contains(path), "{error}");
        assert!(format!("{error:#}").contains(words), "{error:#}");
    };
    check(&base, "there is no file in the folder");
    check(&format!("{base}/*.csv"), "no file matches");
    check(&format!("{base}/missing.csv"), "No such file");
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_an_error_that_names_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let path = file(folder.path(), "secret.csv", "a\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        println!("skipped: this user may read everything");
        return;
    }
    let error = error(text(&path).partitions(1));
    assert!(error.to_string().contains("secret.csv"), "{error}");
    assert!(format!("{error:#}").to_lowercase().contains("permission denied"));
}

#[test]
fn contradictory_settings_are_refused_by_name() {
    let check = |source: Files<crate::connect::CsvInput<Trade>>, word: &str| {
        let error = error(source.partitions(1));
        assert_eq!(error.kind(), ErrorKind::Setting);
        assert!(error.to_string().contains(word), "{error}");
    };
    check(csv("x").delimiter(b'"'), "delimiter and quote");
    check(csv("x").delimiter(b'\n'), "delimiter");
    check(csv("x").multiline().no_quotes(), "multiline");
    check(csv("x").stride(0), "stride");
    check(csv("x").longest_line(0), "longest line");
    check(csv("x.gz").follow(), "x.gz");
}

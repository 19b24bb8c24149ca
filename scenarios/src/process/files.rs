//! ConfigMap and Secret volumes as files.
//!
//! Owns: the folder's layout and its atomic replacement.
//! Always holds: a reader sees all files of one content or all of the next, never a mixture: as
//! with the kubelet, each visible name leads through the one link `..data` to the content.
//! Deliberately does not know: when the content changes.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

const CURRENT: &str = "..data";

/// Makes a folder show exactly these files.
pub(super) fn replace(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let old = fs::read_link(folder.join(CURRENT)).ok();
    let new = next_generation(old.as_deref());
    fs::create_dir(folder.join(&new))?;
    for (name, content) in files {
        fs::write(folder.join(&new).join(name), content)?;
    }
    let prepared = folder.join("..data_tmp");
    symlink(&new, &prepared)?;
    fs::rename(prepared, folder.join(CURRENT))?;
    show(folder, files)?;
    old.map_or(Ok(()), |old| fs::remove_dir_all(folder.join(old)))
}

/// Content folders are numbered: `..1`, `..2`.
fn next_generation(old: Option<&Path>) -> PathBuf {
    let number = old
        .and_then(|path| path.to_str()?.trim_start_matches('.').parse::<u64>().ok())
        .unwrap_or(0);
    PathBuf::from(format!("..{}", number + 1))
}

/// Adds the links of new names and removes those of names that are gone.
fn show(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for name in files.keys() {
        let link = folder.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new(CURRENT).join(name), link)?;
        }
    }
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !is_internal(&name) && !name.to_str().is_some_and(|name| files.contains_key(name)) {
            fs::remove_file(folder.join(name))?;
        }
    }
    Ok(())
}

/// Keys of a ConfigMap cannot begin with two dots.
fn is_internal(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    fn visible(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let names = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| !is_internal(name))
            .map(|name| {
                (
                    name.to_str().unwrap().to_owned(),
                    fs::read(folder.join(&name)).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn a_folder_shows_exactly_the_last_content() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("config");
        for pairs in [
            &[("a", "1"), ("b", "2")][..],
            &[("b", "3"), ("c", "4")],
            &[],
            &[("a", "5")],
        ] {
            replace(&folder, &content(pairs)).unwrap();
            assert_eq!(visible(&folder), content(pairs));
        }
    }

    #[test]
    fn old_content_does_not_pile_up() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["1", "2", "3"] {
            replace(dir.path(), &content(&[("a", text)])).unwrap();
        }
        // One content folder, the link to it, the visible name.
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }
}

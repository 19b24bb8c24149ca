//! What a program needs besides itself.
//!
//! Owns: telling a program that is linked dynamically from one that is not.
//! Always holds: a static program, as etcd's releases are, sees nothing of the host.
//! Deliberately does not know: which libraries a program asks for; it is shown the host's folders.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// Where hosts keep shared libraries and the loader.
const FOLDERS: [&str; 5] = ["/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib64"];

/// The loader's entry among an ELF file's program headers.
const PT_INTERP: u32 = 3;

/// The host's folders that the program cannot run without. Debian's etcd is such a program.
pub(super) fn needed_by(program: &Path) -> io::Result<Vec<&'static str>> {
    let folders = FOLDERS
        .into_iter()
        .filter(|folder| Path::new(folder).is_dir());
    Ok(if has_loader(&File::open(program)?)? {
        folders.collect()
    } else {
        Vec::new()
    })
}

/// Reads the header of a 64-bit little-endian ELF file; a script or another format has a loader of
/// another kind and is no etcd.
fn has_loader(program: &File) -> io::Result<bool> {
    if read::<6>(program, 0)? != *b"\x7fELF\x02\x01" {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not a 64-bit ELF program",
        ));
    }
    let table = u64::from_le_bytes(read(program, 32)?);
    let size = u16::from_le_bytes(read(program, 54)?);
    let count = u16::from_le_bytes(read(program, 56)?);
    for index in 0..count {
        let kind = read(program, table + u64::from(index) * u64::from(size))?;
        if u32::from_le_bytes(kind) == PT_INTERP {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read<const N: usize>(file: &File, at: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamic_program_is_shown_the_hosts_libraries() {
        // This test itself is one on the usual targets.
        if cfg!(target_env = "gnu") {
            let test = std::env::current_exe().unwrap();
            assert!(needed_by(&test).unwrap().contains(&"/lib"));
        }
    }

    #[test]
    fn a_script_is_no_program() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("etcd");
        std::fs::write(&script, "#!/bin/sh\n# long enough for a header\n").unwrap();
        let refused = needed_by(&script).unwrap_err();
        assert!(refused.to_string().contains("ELF"), "{refused}");
    }
}

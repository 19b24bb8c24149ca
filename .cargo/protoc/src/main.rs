//! The part of protoc's command line that prost's build scripts use, on top of protox.
//!
//! Owns: turning `-I`, `-o` and file names into one descriptor set.
//! Deliberately does not know: code generation, plugins.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut includes: Vec<PathBuf> = Vec::new();
    let mut files: Vec<PathBuf> = Vec::new();
    let mut output: Option<PathBuf> = None;
    let (mut imports, mut source_info) = (false, false);
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--version" => {
                println!("libprotoc 29.0 (protox)");
                return Ok(());
            }
            "--include_imports" => imports = true,
            "--include_source_info" => source_info = true,
            "--experimental_allow_proto3_optional" => {}
            "-I" => includes.push(args.next().ok_or("-I wants a folder")?.into()),
            "-o" => output = Some(args.next().ok_or("-o wants a file")?.into()),
            other => {
                if let Some(path) = other.strip_prefix("--descriptor_set_out=") {
                    output = Some(path.into());
                } else if let Some(path) = other.strip_prefix("--proto_path=") {
                    includes.push(path.into());
                } else if let Some(path) = other.strip_prefix("-I") {
                    includes.push(path.into());
                } else if other.starts_with('-') {
                    return Err(format!("unknown option {other}: this stand-in only writes descriptor sets").into());
                } else {
                    files.push(other.into());
                }
            }
        }
    }
    let mut compiler = protox::Compiler::new(includes)?;
    compiler.include_imports(imports).include_source_info(source_info);
    for file in files {
        compiler.open_file(file)?;
    }
    fs::write(
        output.ok_or("no output file: give -o FILE")?,
        compiler.encode_file_descriptor_set(),
    )?;
    Ok(())
}

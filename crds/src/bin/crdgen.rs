//! Writes the custom resource definitions as YAML: `crdgen` to stdout, `crdgen DIRECTORY` one file each.

use std::{env, fs, io, io::Write, path::Path, process::ExitCode};

use millrace_crds::crd::definitions;

fn main() -> ExitCode {
    let written = match env::args_os().nth(1) {
        Some(directory) => to_directory(Path::new(&directory)),
        None => to_stdout(),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "crdgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn to_stdout() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for definition in definitions() {
        write!(out, "---\n{}", definition.to_yaml())?;
    }
    Ok(())
}

fn to_directory(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for definition in definitions() {
        let path = directory.join(definition.file);
        fs::write(&path, definition.to_yaml())
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    }
    Ok(())
}

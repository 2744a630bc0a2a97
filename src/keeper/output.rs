//! The file a recording goes to.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use super::launch::LaunchError;
use crate::sys::descriptor;

/// The file to record into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its path.
    pub path: PathBuf,
    /// Whether one that exists is overwritten.
    pub force: bool,
}

impl Output {
    /// Before the program starts: nobody wants to learn after an hour that it cannot be written.
    ///
    /// # Errors
    /// When it exists already, or cannot be written.
    pub fn open(&self) -> Result<File, LaunchError> {
        let mut options = OpenOptions::new();
        options.write(true);
        if self.force {
            // Not emptied before the program has started.
            options.create(true).truncate(false);
        } else {
            options.create_new(true);
        }
        // A pipe that nobody reads would be waited for, and the program with it.
        options.custom_flags(libc::O_NONBLOCK);
        let file = options.open(&self.path).map_err(|error| match error.kind() {
            _ if error.raw_os_error() == Some(libc::ENXIO) => {
                self.failed(io::Error::other("nobody reads from this pipe or socket"))
            }
            io::ErrorKind::AlreadyExists if !self.path.is_dir() => {
                LaunchError::OutputExists(self.path.clone())
            }
            io::ErrorKind::AlreadyExists => self.failed(io::Error::from_raw_os_error(libc::EISDIR)),
            _ => self.failed(error),
        })?;
        descriptor::set_blocking(&file).map_err(|error| self.failed(error))?;
        Ok(file)
    }

    fn failed(&self, error: io::Error) -> LaunchError {
        let what = format!("write the recording {}", self.path.display());
        LaunchError::prepare(what, error, "choose a file in a folder that you can write")
    }

    /// Takes back what [`open`](Self::open) made.
    pub fn abandon(&self) {
        if !self.force {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A name for a recording of `command`, of a file that is not in this folder yet.
pub fn unused_name(command: &[Vec<u8>]) -> PathBuf {
    let program = command.first().map(|program| String::from_utf8_lossy(program));
    let program = program.as_deref().and_then(|path| path.rsplit('/').next());
    let program = program.filter(|name| !name.is_empty()).unwrap_or("program");
    let folder = std::env::current_dir().unwrap_or_default();
    let name = |number: u32| match number {
        1 => folder.join(format!("{program}.memtop")),
        _ => folder.join(format!("{program}-{number}.memtop")),
    };
    (1..u32::MAX).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_file_is_kept_unless_forced() {
        let path = std::env::temp_dir().join(format!("memtop-output-{}", std::process::id()));
        let output = |force| Output { path: path.clone(), force };
        drop(output(false).open().unwrap());
        let error = output(false).open().unwrap_err();
        assert!(error.to_string().contains("--force"));
        assert_eq!(error.exit_code(), 125);
        fs::write(&path, "old").unwrap();
        drop(output(true).open().unwrap());
        output(true).abandon();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        output(false).abandon();
        assert!(!path.exists());
        let nowhere = Output { path: path.join("x"), force: true };
        assert_eq!(nowhere.open().unwrap_err().exit_code(), 125);
    }

    #[test]
    fn a_pipe_that_nobody_reads_is_refused_and_not_waited_for() {
        let path = std::env::temp_dir().join(format!("memtop-pipe-{}", std::process::id()));
        let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: a string that ends, and lives during the call.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let output = Output { path: path.clone(), force: true };
        let error = output.open().unwrap_err();
        assert!(error.to_string().contains("nobody reads"), "{error}");
        assert_eq!(error.exit_code(), 125);
        let reads = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path);
        assert!(output.open().is_ok());
        drop(reads);
        fs::remove_file(&path).unwrap();
    }
}

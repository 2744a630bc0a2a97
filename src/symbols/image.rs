//! An ELF file, mapped: the only place that knows where its parts are.

use std::{
    borrow::Cow,
    fs::File,
    path::{Path, PathBuf},
};

use object::{
    LittleEndian, Object, ObjectSection,
    read::elf::{ElfFile64, ElfSection64},
};

use crate::sys::map::Mapped;

/// A section larger than this when unpacked is not unpacked: it is damage, or an attack.
const LARGEST_UNPACKED: u64 = 4 << 30;

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    /// It cannot be opened or mapped.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It is not a file of the kind memtop traces.
    #[error("it is not a well-formed 64-bit little-endian ELF file: {0}")]
    Damaged(String),
    /// It is another build than the process had.
    #[error("it is another build than the process had (build id {found}, not {wanted})")]
    AnotherBuild {
        /// Of the file.
        found: String,
        /// Of the process.
        wanted: String,
    },
}

/// A parsed view of an image.
pub(super) type Elf<'a> = ElfFile64<'a, LittleEndian>;

/// A mapped ELF file whose headers hold together.
#[derive(Debug)]
pub(super) struct Image {
    path: PathBuf,
    bytes: Mapped,
}

/// Where another file with the debug information is said to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DebugLink {
    /// Its name, without a folder.
    pub(super) name: Vec<u8>,
    /// CRC-32 of the whole file.
    pub(super) crc: u32,
}

impl Image {
    /// Opens the file, and checks that it is the build that is wanted; an empty `build_id`
    /// wants none in particular.
    pub(super) fn open(path: &Path, build_id: &[u8]) -> Result<Self, Unusable> {
        let unreadable = |error: std::io::Error| Unusable::Unreadable(error.to_string());
        let file = File::open(path).map_err(unreadable)?;
        let image = Self { path: path.to_owned(), bytes: Mapped::new(&file).map_err(unreadable)? };
        let elf = image.parse().map_err(|error| Unusable::Damaged(error.to_string()))?;
        let found = elf.build_id().ok().flatten().unwrap_or_default();
        if !build_id.is_empty() && found != build_id {
            return Err(Unusable::AnotherBuild { found: hex(found), wanted: hex(build_id) });
        }
        Ok(image)
    }

    fn parse(&self) -> object::Result<Elf<'_>> {
        ElfFile64::parse(&*self.bytes)
    }

    /// Its path, as it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The whole file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its parsed form; `None` if somebody changed the file since it was opened.
    pub(super) fn elf(&self) -> Option<Elf<'_>> {
        self.parse().ok()
    }

    /// Its build id; empty when it has none.
    pub(super) fn build_id(&self) -> Vec<u8> {
        let elf = self.elf();
        elf.and_then(|elf| Some(elf.build_id().ok()??.to_vec())).unwrap_or_default()
    }

    /// Whether it has debug information to look functions and lines up in.
    pub(super) fn has_debug_info(&self) -> bool {
        self.elf().is_some_and(|elf| section(&elf, ".debug_info").is_some())
    }

    /// Where it says its debug information is.
    pub(super) fn debug_link(&self) -> Option<DebugLink> {
        let elf = self.elf()?;
        let (name, crc) = elf.gnu_debuglink().ok()??;
        Some(DebugLink { name: name.to_vec(), crc })
    }

    /// Path and build id of the file that several debug files share parts of.
    pub(super) fn supplement(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let elf = self.elf()?;
        let (path, build_id) = elf.gnu_debugaltlink().ok()??;
        Some((path.to_vec(), build_id.to_vec()))
    }
}

/// A section's bytes, unpacked; empty when it is not there or cannot be unpacked.
pub(super) fn section_bytes<'a>(elf: &Elf<'a>, name: &str) -> Cow<'a, [u8]> {
    let Some(section) = section(elf, name) else { return Cow::default() };
    let Ok(packed) = section.compressed_data() else { return Cow::default() };
    if packed.uncompressed_size > LARGEST_UNPACKED {
        return Cow::default();
    }
    packed.decompress().unwrap_or_default()
}

/// A section that holds bytes; a stripped file keeps headers of sections without any.
fn section<'a, 'file>(
    elf: &'file Elf<'a>,
    name: &str,
) -> Option<ElfSection64<'a, 'file, LittleEndian>> {
    let found = elf.section_by_name(name)?;
    found.file_range().is_some_and(|(_, size)| size > 0).then_some(found)
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! What an ELF file says about how it can be traced.
//!
//! The bytes are hostile: all access goes through the parser's checked reads.

use std::{fs::File, io::Read, path::Path};

use object::{
    Endianness, ReadCache, ReadRef, elf,
    elf::FileHeader64,
    read::elf::{ElfFile64, FileHeader, ProgramHeader},
    read::{Object, ObjectSection, ObjectSymbol},
};

use super::Reason;

/// A file up to this size is read at once, which is the fastest way to go through its symbols.
/// Of a larger one only the dynamic symbols are looked at, piece by piece: nobody wants to wait
/// a second for a warning.
const WHOLE: u64 = 64 << 20;

/// Symbols that only an allocator defines; the first found is named.
const ALLOCATORS: [&str; 9] = [
    "malloc",
    "je_malloc",
    "_rjem_malloc",
    "mi_malloc",
    "_mi_malloc_generic",
    "tc_malloc",
    "TCMallocInternalMalloc",
    "snmalloc_alloc",
    "rpmalloc",
];

/// What an allocator says of itself, where its symbols were stripped, and its name.
const WORDS: [(&[u8], &str); 3] = [
    (b"<jemalloc>: ", "jemalloc"),
    (b"mimalloc: error: ", "mimalloc"),
    (b"tcmalloc: allocation failed", "tcmalloc"),
];

/// Part of the name of each symbol of memtop's embedded allocator.
const EMBEDDED: &str = "12memtop_probe";

/// A symbol that a sanitizer's code refers to, and the sanitizer's name.
const SANITIZERS: [(&str, &str); 5] = [
    ("__asan_init", "AddressSanitizer"),
    ("__tsan_init", "ThreadSanitizer"),
    ("__msan_init", "MemorySanitizer"),
    ("__hwasan_init", "HWAddressSanitizer"),
    ("__lsan_init", "LeakSanitizer"),
];

/// What is worth saying about a file that can be traced.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The symbol or name by which an allocator in the executable itself was recognised.
    pub(super) allocator: Option<&'static str>,
    /// memtop's own allocator is in it, too.
    pub(super) embeds: bool,
}

/// Reads the file, and refuses it where it cannot be traced.
pub(super) fn inspect(file: &Path) -> Result<Facts, Reason> {
    let unreadable = |error| Reason::unreadable(file, &error);
    let mut opened = File::open(file).map_err(unreadable)?;
    if opened.metadata().map_err(unreadable)?.len() > WHOLE {
        return inspect_data(&ReadCache::new(opened), file, false);
    }
    let mut bytes = Vec::new();
    opened.read_to_end(&mut bytes).map_err(unreadable)?;
    inspect_data(bytes.as_slice(), file, true)
}

fn inspect_data<'a>(
    data: impl ReadRef<'a>,
    file: &Path,
    all_symbols: bool,
) -> Result<Facts, Reason> {
    check_machine(data, file)?;
    let damaged =
        |error: object::Error| Reason::Damaged { file: file.to_owned(), error: error.to_string() };
    let loader = loader(data).map_err(damaged)?;
    check_loader(loader.as_deref(), file)?;
    inspect_symbols(data, file, all_symbols)
}

/// The identification bytes and the machine, before anything depends on them.
fn check_machine<'a>(data: impl ReadRef<'a>, file: &Path) -> Result<(), Reason> {
    let start = data.read_bytes_at(0, 20).map_err(|()| Reason::Damaged {
        file: file.to_owned(),
        error: "it ends within its header".to_owned(),
    })?;
    let (class, order) = (elf::FileClass(start[4]), elf::DataEncoding(start[5]));
    let machine = elf::Machine(match order {
        elf::ELFDATA2MSB => u16::from_be_bytes([start[18], start[19]]),
        _ => u16::from_le_bytes([start[18], start[19]]),
    });
    if (class, order, machine) == (elf::ELFCLASS64, elf::ELFDATA2LSB, elf::EM_X86_64) {
        return Ok(());
    }
    Err(Reason::Foreign {
        file: file.to_owned(),
        architecture: architecture(class, order, machine),
    })
}

fn architecture(class: elf::FileClass, order: elf::DataEncoding, machine: elf::Machine) -> String {
    let bits = if class == elf::ELFCLASS32 { 32 } else { 64 };
    let order = match order {
        elf::ELFDATA2MSB => " (big-endian)",
        _ => "",
    };
    match machine {
        elf::EM_386 => "32-bit x86 (i386)".to_owned(),
        elf::EM_X86_64 if bits == 32 => "x32 (x86-64 with 32-bit pointers)".to_owned(),
        elf::EM_AARCH64 => format!("64-bit ARM (aarch64){order}"),
        elf::EM_ARM => format!("32-bit ARM{order}"),
        elf::EM_RISCV => format!("{bits}-bit RISC-V"),
        elf::EM_PPC64 => format!("64-bit PowerPC{order}"),
        elf::EM_S390 => "IBM Z (s390)".to_owned(),
        elf::EM_MIPS => format!("{bits}-bit MIPS{order}"),
        elf::EM_LOONGARCH => format!("{bits}-bit LoongArch"),
        other => format!("another architecture (ELF machine {}, {bits}-bit)", other.0),
    }
}

fn loader<'a>(data: impl ReadRef<'a>) -> object::Result<Option<String>> {
    let header = FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    for segment in header.program_headers(endian, data)? {
        if let Some(path) = segment.interpreter(endian, data)? {
            return Ok(Some(String::from_utf8_lossy(path).into_owned()));
        }
    }
    Ok(None)
}

fn check_loader(loader: Option<&str>, file: &Path) -> Result<(), Reason> {
    let is_loader = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("ld-linux") || name.starts_with("ld-2.")
    };
    let (file, loader) = match loader {
        // The loader itself, started by name with a program as its argument, preloads too.
        None if is_loader(file) => return Ok(()),
        None => {
            return Err(Reason::Static { file: file.to_owned() });
        }
        Some(loader) => (file.to_owned(), loader.to_owned()),
    };
    if loader.contains("ld-musl") {
        return Err(Reason::Musl { file, loader });
    }
    if !Path::new(&loader).exists() {
        return Err(Reason::NoLoader { file, loader });
    }
    Ok(())
}

fn inspect_symbols<'a>(data: impl ReadRef<'a>, file: &Path, all: bool) -> Result<Facts, Reason> {
    // Headers that are good enough for the kernel but not for the parser are no reason to
    // refuse: what is unknown here is only a warning.
    let Ok(parsed) = ElfFile64::<Endianness, _>::parse(data) else {
        return Ok(Facts::default());
    };
    let mut facts = Facts::default();
    let local = all.then(|| parsed.symbols()).into_iter().flatten();
    for symbol in parsed.dynamic_symbols().chain(local) {
        let Ok(name) = symbol.name() else { continue };
        if let Some((_, sanitizer)) = SANITIZERS.iter().find(|(known, _)| *known == name) {
            return Err(Reason::Sanitized { file: file.to_owned(), sanitizer });
        }
        if symbol.is_definition() {
            let known = || ALLOCATORS.into_iter().find(|known| *known == name);
            facts.allocator = facts.allocator.or_else(known);
            facts.embeds |= name.contains(EMBEDDED);
        }
    }
    if facts.allocator.is_none() && all && parsed.symbol_table().is_none() {
        facts.allocator = by_words(&parsed);
    }
    Ok(facts)
}

/// Looks for an allocator that has no symbols in what its code says.
fn by_words<'a>(parsed: &ElfFile64<'a, Endianness, impl ReadRef<'a>>) -> Option<&'static str> {
    let text = parsed.section_by_name(".rodata")?.data().ok()?;
    let is_there = |words: &[u8]| memchr::memmem::find(text, words).is_some();
    WORDS.into_iter().find(|(words, _)| is_there(words)).map(|(_, name)| name)
}

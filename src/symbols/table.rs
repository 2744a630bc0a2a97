//! Symbols by address: one name for each place of code, found in microseconds.

use std::{cmp::Reverse, ops::Range, path::Path, sync::Arc};

use object::{
    LittleEndian,
    elf::{self, FileHeader64, Sym64},
    read::elf::{SectionHeader as _, Sym as _},
};

use super::image::{Elf, Image};

type Symbols<'a> = object::read::elf::SymbolTable<'a, FileHeader64<LittleEndian>>;

/// A symbol without a size reaches to the next one, but no further than this: what lies far
/// behind the last piece of hand-written assembly is not part of it.
const REACH: u64 = 64 << 10;

/// Code symbols of an image.
#[derive(Debug)]
pub(super) struct SymbolTable {
    image: Arc<Image>,
    /// By `start`, which no two share.
    entries: Vec<Entry>,
    /// Where in the file the names are.
    names: Range<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u64,
    end: u64,
    /// Offset into the names.
    name: u32,
}

/// How good a symbol is among several at one address; the largest is taken: a function with a
/// size, seen by other files, with the fewest underscores in front.
type Rank = (bool, bool, u8, Reverse<usize>);

impl SymbolTable {
    /// Reads the fuller of the image's symbol tables; `None` if none says anything.
    pub(super) fn read(image: &Arc<Image>) -> Option<Self> {
        let elf = image.elf()?;
        let tables = [elf.elf_symbol_table(), elf.elf_dynamic_symbol_table()];
        tables.into_iter().find_map(|table| Self::of(image, &elf, table))
    }

    fn of(image: &Arc<Image>, elf: &Elf<'_>, table: &Symbols<'_>) -> Option<Self> {
        let names = string_range(image, elf, table)?;
        let strings = &image.bytes()[names.clone()];
        let mut ranked: Vec<(Entry, Rank)> = table
            .iter()
            .filter(|symbol| is_code(symbol))
            .map(|symbol| (entry(symbol), rank(symbol, strings)))
            .collect();
        ranked.sort_unstable_by_key(|(entry, rank)| (entry.start, Reverse(*rank), entry.name));
        ranked.dedup_by_key(|(entry, _)| entry.start);
        let entries = with_ends(ranked.into_iter().map(|(entry, _)| entry));
        (!entries.is_empty()).then(|| Self { image: image.clone(), entries, names })
    }

    /// Path of the file it was read from.
    pub(super) fn path(&self) -> &Path {
        self.image.path()
    }

    /// The symbol that an address lies in, as it stands in the file.
    pub(super) fn find(&self, address: u64) -> Option<&str> {
        let behind = self.entries.partition_point(|entry| entry.start <= address);
        let entry = self.entries.get(behind.checked_sub(1)?)?;
        let strings = self.image.bytes().get(self.names.clone())?;
        let name = std::str::from_utf8(string_at(strings, entry.name)).ok()?;
        (address < entry.end && !name.is_empty()).then_some(name)
    }
}

/// Where in the file the names of a table are.
fn string_range(image: &Image, elf: &Elf<'_>, table: &Symbols<'_>) -> Option<Range<usize>> {
    let section = elf.elf_section_table().section(table.string_section()).ok()?;
    let (from, length) = section.file_range(LittleEndian)?;
    let from = usize::try_from(from).ok()?;
    let to = from.checked_add(usize::try_from(length).ok()?)?;
    (to <= image.bytes().len()).then_some(from..to)
}

/// The bytes from `at` up to a zero.
fn string_at(strings: &[u8], at: u32) -> &[u8] {
    let rest = strings.get(at as usize..).unwrap_or_default();
    rest.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn is_code(symbol: &Sym64<LittleEndian>) -> bool {
    let kinds = [elf::STT_FUNC, elf::STT_GNU_IFUNC, elf::STT_NOTYPE];
    let section = symbol.st_shndx(LittleEndian);
    let defined = section != elf::SHN_UNDEF && section != elf::SHN_ABS;
    defined && kinds.contains(&symbol.st_type()) && symbol.st_value(LittleEndian) != 0
}

fn entry(symbol: &Sym64<LittleEndian>) -> Entry {
    let start = symbol.st_value(LittleEndian);
    let end = start.saturating_add(symbol.st_size(LittleEndian));
    Entry { start, end, name: symbol.st_name(LittleEndian) }
}

fn rank(symbol: &Sym64<LittleEndian>, strings: &[u8]) -> Rank {
    let name = string_at(strings, symbol.st_name(LittleEndian));
    let underscores = name.iter().take_while(|byte| **byte == b'_').count();
    let sized = symbol.st_size(LittleEndian) > 0;
    let bind = match symbol.st_bind() {
        elf::STB_GLOBAL => 2,
        elf::STB_WEAK => 1,
        _ => 0,
    };
    (sized, symbol.st_type() != elf::STT_NOTYPE, bind, Reverse(underscores))
}

/// Gives the entries without a size one, and leaves labels inside a sized function out.
fn with_ends(sorted: impl Iterator<Item = Entry>) -> Vec<Entry> {
    let (mut entries, mut covered) = (Vec::<Entry>::new(), 0);
    for entry in sorted {
        let sized = entry.end > entry.start;
        if sized || entry.start >= covered {
            entries.push(entry);
            covered = covered.max(entry.end);
        }
    }
    let mut next = u64::MAX;
    for entry in entries.iter_mut().rev() {
        if entry.end == entry.start {
            entry.end = next.min(entry.start.saturating_add(REACH));
        }
        next = entry.start;
    }
    entries.shrink_to_fit();
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(start: u64, end: u64) -> Entry {
        Entry { start, end, name: 0 }
    }

    #[test]
    fn symbols_without_a_size_reach_to_the_next() {
        let given = [entry(10, 10), entry(20, 40), entry(30, 30), entry(50, 50)];
        let ends: Vec<_> =
            with_ends(given.into_iter()).iter().map(|one| (one.start, one.end)).collect();
        let expected = vec![(10, 20), (20, 40), (50, 50 + REACH)];
        assert_eq!(expected, ends);
    }

    #[test]
    fn a_function_of_this_program_is_found_by_its_address() {
        let image = Arc::new(Image::open("/proc/self/exe".as_ref(), &[]).expect("this program"));
        let table = SymbolTable::read(&image).expect("symbols");
        let (entry, strings) = (table.entries[table.entries.len() / 2], table.names.clone());
        let name = string_at(&image.bytes()[strings], entry.name);
        assert_eq!(table.find(entry.start).map(str::as_bytes), Some(name));
        assert_eq!(table.find(0), None);
        assert_eq!(table.find(u64::MAX), None);
    }
}

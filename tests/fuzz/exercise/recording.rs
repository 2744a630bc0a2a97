// Everything that is done with a file that nobody vouches for; shared by the fuzz target and by
// the test that stands in for it.

use std::time::Duration;

use memtop::recording::{
    Cursor, File, MAGIC, Tail, When, audit::each_checkpoint, dump, each_in_order, read_tree,
};

/// Reads bytes as a recording, in every way there is.
pub fn exercise(bytes: &[u8]) {
    let _ = read_tree(bytes);
    let _ = dump(bytes, &mut std::io::sink());
    let Ok(file) = File::new(bytes.to_vec()) else { return };
    for image in 0..file.images().len().min(5) {
        for second in [0, 3, 7, 1 << 40] {
            let at = Duration::from_secs(second);
            let mut cursor = Cursor::new(image);
            let _ = cursor.seek(&file, at);
            let _ = (cursor.state(&file), cursor.take_update(), cursor.names(&file).is_ok());
            let _ = file.neighbours(image, at);
            let _ = Tail::default().before(&file, image, at);
        }
        let _ = each_in_order(&file, image, |_| Ok(()));
        let _ = each_checkpoint(&file, image, |_| {});
    }
    let _ = file.recording_at(When::End);
}

/// The same bytes with the checksum of each frame put right, so that what is inside is read.
pub fn reseal(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = MAGIC.to_vec();
    sealed.extend(1_u32.to_le_bytes());
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((header, behind)) = rest.split_at_checked(9) {
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let length = behind.len().min(length as usize);
        let (payload, behind) = behind.split_at(length);
        let length = (length as u32).to_le_bytes();
        let mut crc = crc32fast::Hasher::new();
        for part in [&length[..], &header[4..5], payload] {
            crc.update(part);
        }
        sealed
            .extend([&length[..], &header[4..5], &crc.finalize().to_le_bytes(), payload].concat());
        rest = behind;
    }
    sealed.extend(rest);
    sealed
}

//! The file that older events go to: a ring of a fixed size, without a name.
//!
//! The file is removed from its directory as soon as it is open, so that it is gone with the process, whatever
//! ends it. Nobody else may read it.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::atomic::{AtomicU64, Ordering};

use super::segment::Place;

/// Tells files of one process apart.
static FILES: AtomicU64 = AtomicU64::new(0);

/// A file without a name.
#[derive(Debug)]
pub(super) struct Spill {
    file: File,
    limit: u64,
    head: u64,
}

impl Spill {
    pub(super) fn new(limit: u64) -> io::Result<Self> {
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("flowdeck-log-{}-{number}", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(Self { file, limit, head: 0 })
    }

    /// Writes over what is oldest; the caller forgets what lay there.
    pub(super) fn write(&mut self, parts: &[Cow<'_, [u8]>]) -> io::Result<Place> {
        let length = parts.iter().map(|part| part.len() as u64).sum();
        if length > self.limit {
            return Err(io::Error::other("the disk's share is too small"));
        }
        if self.head + length > self.limit {
            self.head = 0;
        }
        let place = Place { offset: self.head, length };
        for part in parts {
            self.file.write_all_at(part, self.head)?;
            self.head += part.len() as u64;
        }
        Ok(place)
    }

    pub(super) fn read(&self, place: Place) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(place.length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, place.offset)?;
        Ok(bytes)
    }
}

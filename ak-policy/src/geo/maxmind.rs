//! Databases of MaxMind's format.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use ak_store::Clock;
use maxminddb::{Reader, geoip2};

use super::{Geo, NoDatabase, Place, System};

/// How long a file is taken for unchanged, in microseconds.
const LOOK_AFTER: u64 = 60_000_000;

/// Where the databases are. Those that are not there yet are taken when they come.
#[derive(Debug, Clone, Default)]
pub struct GeoFiles {
    /// Places: a database of cities, or of countries.
    pub places: Option<PathBuf>,
    /// Autonomous systems.
    pub systems: Option<PathBuf>,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{} {why}", path.display())]
pub struct DatabaseError {
    /// The file.
    pub path: PathBuf,
    /// Whether there is no such file.
    pub is_missing: bool,
    /// What is wrong, as the rest of a sentence that begins with the path.
    pub why: String,
}

/// Knows addresses from two files, which it has in memory. A file that was replaced is read again within about a minute, while the old
/// one still answers.
pub struct MaxMind {
    clock: Arc<dyn Clock>,
    places: Option<Arc<Database>>,
    systems: Option<Arc<Database>>,
}

impl std::fmt::Debug for MaxMind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = |database: &Option<Arc<Database>>| database.as_ref().map(|database| database.path.clone());
        f.debug_struct("MaxMind").field("places", &path(&self.places)).field("systems", &path(&self.systems)).finish()
    }
}

/// When a file was written, and how large it is: whether it is another one.
type Stamp = Option<(SystemTime, u64)>;

struct Database {
    path: PathBuf,
    /// What a database of another kind is called: this one holds something else.
    unfit: fn(&str) -> bool,
    reader: RwLock<Option<Arc<Reader<Vec<u8>>>>>,
    stamp: Mutex<Stamp>,
    looked: AtomicU64,
    reading: AtomicBool,
}

impl MaxMind {
    /// Reads the files; what is wrong with those that cannot be used. They are looked at again as if they could.
    ///
    /// It reads files of a hundred megabytes and more: for the start of a program.
    pub fn open(files: GeoFiles, clock: Arc<dyn Clock>) -> (Self, Vec<DatabaseError>) {
        let now = clock.monotonic_micros();
        let mut errors = Vec::new();
        let mut open = |path: Option<PathBuf>, unfit| {
            let database = Arc::new(Database::new(path?, unfit, now));
            errors.extend(database.read().err());
            Some(database)
        };
        let places = open(files.places, is_of_systems);
        let systems = open(files.systems, |kind| !is_of_systems(kind));
        (Self { clock, places, systems }, errors)
    }

    /// What is read, of a database that is looked after.
    fn reader(&self, database: Option<&Arc<Database>>) -> Result<Arc<Reader<Vec<u8>>>, NoDatabase> {
        let database = database.ok_or(NoDatabase)?;
        database.look_after(self.clock.monotonic_micros());
        database.reader.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(NoDatabase)
    }
}

fn is_of_systems(kind: &str) -> bool {
    kind.contains("ASN") || kind.contains("ISP")
}

impl Database {
    fn new(path: PathBuf, unfit: fn(&str) -> bool, now: u64) -> Self {
        let (reader, stamp) = (RwLock::default(), Mutex::default());
        Self { path, unfit, reader, stamp, looked: AtomicU64::new(now), reading: AtomicBool::new(false) }
    }

    /// Reads the file. What was read before stays where that fails.
    fn read(&self) -> Result<(), DatabaseError> {
        // Of a file that is replaced meanwhile the old stamp is kept: it is read again.
        let found = stamp(&self.path);
        *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) = found;
        let error = |why: String| DatabaseError { path: self.path.clone(), is_missing: found.is_none(), why };
        let reader = Reader::open_readfile(&self.path).map_err(|why| error(format!("cannot be read: {why}")))?;
        let kind = reader.metadata().database_type.clone();
        if (self.unfit)(&kind) {
            return Err(error(format!("is a database of another kind ({kind})")));
        }
        *self.reader.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(reader));
        Ok(())
    }

    /// Has the file read again, on a thread of its own, if it is another one: looks now and then.
    fn look_after(self: &Arc<Self>, now: u64) {
        let looked = self.looked.load(Ordering::Relaxed);
        let due = now.saturating_sub(looked) >= LOOK_AFTER;
        if !due || self.looked.compare_exchange(looked, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let known = *self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        let found = stamp(&self.path);
        // A file that has gone is no reason to forget what was in it.
        if found.is_none() || found == known || self.reading.swap(true, Ordering::AcqRel) {
            return;
        }
        let database = self.clone();
        let read = move || {
            match database.read() {
                Ok(()) => tracing::info!(path = %database.path.display(), "a database of addresses was read again"),
                Err(error) => tracing::warn!("{error}"),
            }
            database.reading.store(false, Ordering::Release);
        };
        if let Err(error) = std::thread::Builder::new().name("addresses".into()).spawn(read) {
            self.reading.store(false, Ordering::Release);
            tracing::warn!(%error, "a database of addresses could not be read again");
        }
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// Texts that the database has, for good.
fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

impl Geo for MaxMind {
    fn place(&self, ip: IpAddr) -> Result<Option<Place>, NoDatabase> {
        let reader = self.reader(self.places.as_ref())?;
        // What cannot be read is not known.
        let found = reader.lookup(ip).and_then(|found| found.decode::<geoip2::City<'_>>());
        let Some(city) = found.inspect_err(|error| damaged(ip, error)).ok().flatten() else { return Ok(None) };
        Ok(Some(Place {
            continent: owned(city.continent.code),
            country: owned(city.country.iso_code),
            lat: city.location.latitude,
            long: city.location.longitude,
            city: owned(city.city.names.english).unwrap_or_default(),
        }))
    }

    fn system(&self, ip: IpAddr) -> Result<Option<System>, NoDatabase> {
        let reader = self.reader(self.systems.as_ref())?;
        let found = reader.lookup(ip).and_then(|found| Ok((found.decode::<geoip2::Asn<'_>>()?, found.network()?)));
        let Some((Some(system), network)) = found.inspect_err(|error| damaged(ip, error)).ok() else { return Ok(None) };
        Ok(Some(System {
            asn: system.autonomous_system_number,
            as_org: owned(system.autonomous_system_organization),
            network: Some(network.to_string()),
        }))
    }
}

fn damaged(ip: IpAddr, error: &maxminddb::MaxMindDbError) {
    tracing::warn!(%ip, %error, "a database of addresses is damaged");
}

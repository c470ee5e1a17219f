//! What can go wrong while keeping or finding something.

/// A failure of the storage itself: never the fault of who asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The backend could not be reached, or answered with a failure. The text is for the log.
    #[error("storage: {0}")]
    Backend(String),
    /// The storage is locked for too long, or otherwise cannot take a write now.
    #[error("storage is busy: {0}")]
    Busy(String),
    /// There is no room for what is to be kept. Reading goes on.
    #[error("storage is full: {0}")]
    Full(String),
    /// A unique value is taken already: the name of the field.
    #[error("a record with this {0} already exists")]
    Taken(&'static str),
    /// A record that was to be changed does not exist (any more).
    #[error("no such {0}")]
    Missing(&'static str),
    /// A value cannot be kept: what is wrong with it.
    #[error("{0}")]
    Invalid(String),
    /// What is stored cannot be understood: a newer version wrote it, or it is damaged.
    #[error("stored data: {0}")]
    Corrupt(String),
    /// The secret key is not the one that the data was written with.
    #[error(
        "the secret key (AUTHENTIK_SECRET_KEY) is not the one this database was written with: set it back, or run \
         `ak secret rotate --from <old key>`; without the old key, what is encrypted in it cannot be recovered"
    )]
    WrongSecretKey,
}

/// The result of a storage operation.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

use tempfile::TempDir;

use super::*;
use crate::store::database::testing::Place;

async fn open(folder: &TempDir) -> SavedState {
    SavedState::open(&url(folder)).await.unwrap()
}

fn url(folder: &TempDir) -> StorageUrl {
    StorageUrl::Sqlite(folder.path().join("vestibule.db"))
}

fn rows(pairs: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

#[actix_rt::test]
async fn what_is_saved_is_taken_once_by_the_next_process() {
    for place in Place::all().await {
        let first = place.open().await;
        let saved = rows(&[("b", "2"), ("a", "1")]);
        assert_eq!(first.save_all("records", saved).await.unwrap(), 2);
        assert_eq!(first.save_all("codes", rows(&[("a", "code")])).await.unwrap(), 1);
        first.close().await;

        let second = place.open().await;
        assert_eq!(second.take_all("records").await.unwrap(), rows(&[("a", "1"), ("b", "2")]));
        assert_eq!(second.take_all("records").await.unwrap(), []);
        // No close: as if killed.
        drop(second);
        let third = place.open().await;
        assert_eq!(third.take_all("records").await.unwrap(), []);
        assert_eq!(third.take_all("codes").await.unwrap(), rows(&[("a", "code")]));
        place.remove().await;
    }
}

#[actix_rt::test]
async fn saving_replaces_the_kind_and_nothing_else() {
    for place in Place::all().await {
        let state = place.open().await;
        state.save_all("records", rows(&[("a", "old"), ("b", "old")])).await.unwrap();
        state.save_all("codes", rows(&[("a", "code")])).await.unwrap();
        state.save_all("records", rows(&[("a", "first"), ("a", "last")])).await.unwrap();
        assert_eq!(state.take_all("records").await.unwrap(), rows(&[("a", "last")]));
        assert_eq!(state.take_all("codes").await.unwrap(), rows(&[("a", "code")]));
        place.remove().await;
    }
}

#[actix_rt::test]
async fn many_rows_pass_in_batches() {
    for place in Place::all().await {
        let state = place.open().await;
        let many = (0..1_234).map(|n| (format!("{n:06}"), vec![b'x'; 300]));
        assert_eq!(state.save_all("records", many).await.unwrap(), 1_234);
        assert_eq!(state.take_all("records").await.unwrap().len(), 1_234);
        place.remove().await;
    }
}

#[actix_rt::test]
async fn a_start_knows_how_the_last_process_ended() {
    for place in Place::all().await {
        let state = place.open().await;
        assert_eq!(state.begin().await.unwrap(), Boot { clean: true, incarnation: 1 });
        drop(state);
        let state = place.open().await;
        assert_eq!(state.begin().await.unwrap(), Boot { clean: false, incarnation: 2 });
        state.end(1).await.unwrap();
        assert_eq!(state.begin().await.unwrap(), Boot { clean: false, incarnation: 3 });
        state.end(3).await.unwrap();
        state.close().await;
        let state = place.open().await;
        assert_eq!(state.begin().await.unwrap(), Boot { clean: true, incarnation: 4 });
        place.remove().await;
    }
}

#[actix_rt::test]
async fn a_damaged_file_and_a_missing_folder_are_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vestibule.db");
    std::fs::write(&path, "this is not a database, whatever its name says ".repeat(100)).unwrap();
    let error = SavedState::open(&url(&folder)).await.unwrap_err().to_string();
    assert!(error.contains("vestibule.db") && error.contains("not a database"), "{error}");

    let missing = StorageUrl::Sqlite(folder.path().join("missing").join("vestibule.db"));
    let error = SavedState::open(&missing).await.unwrap_err().to_string();
    assert!(error.contains("missing/vestibule.db: cannot be opened: No such file"), "{error}");
}

#[cfg(unix)]
#[actix_rt::test]
async fn only_the_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let state = open(&folder).await;
    state.begin().await.unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}

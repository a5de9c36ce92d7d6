//! The local store keeps the laws of stores.

use std::sync::Arc;

use ognivo_files::laws::store_laws;
use ognivo_files::local::LocalStore;
use ognivo_files::open::open;

#[tokio::test]
async fn a_local_disk_keeps_the_laws_of_stores() {
    let folder = tempfile::tempdir().unwrap();
    let location = open("store", folder.path()).unwrap();
    store_laws(&location).await;
    let ordered = location.child("ordered").with_store(Arc::new(LocalStore::with_ordered_names()));
    store_laws(&ordered).await;
}

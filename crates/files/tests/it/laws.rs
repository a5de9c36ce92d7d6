//! The local store keeps the laws of stores that hold checkpoints.

use std::sync::Arc;

use ognivo_files::local::LocalStore;
use ognivo_files::open::open;
use ognivo_stream::laws::checkpoint_laws;

#[tokio::test]
async fn a_local_disk_can_hold_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let location = open("checkpoint", folder.path()).unwrap();
    checkpoint_laws(Arc::new(LocalStore::new()), location.path().clone()).await;
    checkpoint_laws(Arc::new(LocalStore::with_ordered_names()), location.child("ordered").path().clone()).await;
}

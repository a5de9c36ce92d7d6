//! Holds a folder of a file system to the laws of stores: `store_laws hdfs://host:port/tmp/laws`.
//!
//! The folder is made, filled and removed.

#![allow(clippy::print_stdout, clippy::exit, reason = "a program for the terminal")]

use std::path::Path;

use ognivo_files::laws::store_laws;
use ognivo_files::open::open;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: store_laws PATH")?;
    let folder = open(&path, Path::new("."))?;
    if folder.folders().folder_exists(folder.path()).await? {
        return Err(format!("is there already: {folder}").into());
    }
    store_laws(&folder).await;
    folder.folders().remove_folder(folder.path()).await?;
    println!("{folder} keeps the laws of stores");
    Ok(())
}

//! The allocator of the program, of its C libraries too.
//!
//! Kafka's client makes each record on one thread, and it is freed on another. With the allocator of the C library both take the
//! same lock for each; where they run beside each other, waiting for it cost a third of what reading a record takes.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Settings, ended by a zero; the allocator reads them when the program starts.
///
/// Threads for input and output come and go with the batches of a stream. With four arenas for each processor, as the allocator
/// has them by itself, a stream grows with its batches; two are enough where each thread keeps some memory at hand. What has been
/// free for a second goes back to the system when something else is allocated. That holds for pieces of files too: pieces of eight
/// megabytes and more, as the allocator has it by itself, would go back at once, and each page of the next would be asked for anew.
#[allow(unsafe_code, reason = "the allocator looks for its settings by this name, which nothing else has")]
#[unsafe(export_name = "malloc_conf")]
static SETTINGS: &[u8; 68] = b"narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0,oversize_threshold:0\0";

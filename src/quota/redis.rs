//! Counts that processes share in a Redis server.

use super::{Counting, Key, Remote as Answer, Standing};
use crate::body::Shutdown;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, RedisResult, Script};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How long a request waits for an answer. A server in the same place answers within one.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a count may take to be taken: nobody waits for that.
const TAKING: Duration = Duration::from_secs(2);
/// How long a server that has failed is left in peace.
const PEACE: Duration = Duration::from_secs(1);
/// Counts on their way to the server: beyond it they hold in this process only.
const MOST_WAITING: usize = 1 << 14;

const KILL_SWITCH: &str = "holdback:kill";
const KILL_SWITCH_EVERY: Duration = Duration::from_secs(1);

/// Adds to a count: KEYS\[1\] by ARGV\[1\]. A new one stands for ARGV\[2\] ms, and one that has just reached ARGV\[3\] for ARGV\[4\]
/// ms, unless that is 0.
const ADD: &str = "
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
local before = count - ARGV[1]
if before == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if before < tonumber(ARGV[3]) and count >= tonumber(ARGV[3]) and tonumber(ARGV[4]) > 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return count
";

/// A URL that is none of a Redis server.
#[derive(Debug)]
pub struct BadRedis(RedisError);

impl fmt::Display for BadRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may have a password, which the error does not quote.
        write!(f, "not the URL of a Redis server: {}", self.0)
    }
}

impl std::error::Error for BadRedis {}

/// A server, and what is on its way there.
pub(super) struct Remote {
    server: ConnectionManager,
    counts: mpsc::Sender<(Key, u64, Counting)>,
    peace: Peace,
}

impl Remote {
    pub(super) fn new(url: &str) -> Result<Remote, BadRedis> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(TAKING))
            .set_response_timeout(Some(TAKING));
        let client = Client::open(url).map_err(BadRedis)?;
        let server = client.get_connection_manager_lazy(config).map_err(BadRedis)?;
        let (counts, waiting) = mpsc::channel(MOST_WAITING);
        let peace = Peace::default();
        tokio::spawn(take(server.clone(), waiting, peace.clone()));
        Ok(Remote { server, counts, peace })
    }

    /// Tells the server of what was counted, some time.
    pub(super) fn add(&self, key: Key, by: u64, counting: Counting) {
        // If too much is waiting already, the server does not hear of it.
        let _ = self.counts.try_send((key, by, counting));
    }

    /// Has `shutdown` begin while the server has the key of the kill switch.
    pub(super) fn watch_kill_switch(&self, shutdown: Shutdown) {
        let (mut server, counts) = (self.server.clone(), self.counts.clone());
        tokio::spawn(async move {
            let mut was_thrown = false;
            // As long as anybody counts but this task: its own sender is one.
            while counts.strong_count() > 1 {
                let asked = async { redis::cmd("EXISTS").arg(KILL_SWITCH).query_async::<bool>(&mut server).await };
                // What the operator of this process alone has done is not undone.
                match timeout(TAKING, asked).await {
                    Ok(Ok(true)) if !was_thrown => {
                        was_thrown = true;
                        shutdown.begin();
                    }
                    Ok(Ok(false)) if was_thrown => {
                        was_thrown = false;
                        shutdown.revoke();
                    }
                    _ => {}
                }
                sleep(KILL_SWITCH_EVERY).await;
            }
        });
    }

    /// How these counts stand.
    pub(super) fn ask(&self, keys: impl Iterator<Item = Key>) -> Answer {
        let mut query = redis::pipe();
        let mut queried = 0;
        for key in keys {
            query.cmd("GET").arg(name(key)).cmd("PTTL").arg(name(key));
            queried += 1;
        }
        let (mut server, peace) = (self.server.clone(), self.peace.clone());
        Box::pin(async move {
            if peace.holds() {
                return None;
            }
            let asked = async { query.query_async::<Vec<Option<i64>>>(&mut server).await };
            let answers = match timeout(PATIENCE, asked).await {
                Ok(Ok(answers)) if answers.len() == 2 * queried => answers,
                _ => {
                    peace.begin();
                    return None;
                }
            };
            let standing = |answer: &[Option<i64>]| Standing {
                count: answer[0].unwrap_or_default().max(0) as u64,
                left: Duration::from_millis(answer[1].unwrap_or_default().max(0) as u64),
            };
            Some(answers.chunks(2).map(standing).collect())
        })
    }
}

/// A server that has failed is left in peace for a while, by whoever wants something of it.
#[derive(Clone, Default)]
struct Peace(Arc<Mutex<Option<Instant>>>);

impl Peace {
    fn begin(&self) {
        *self.until() = Some(Instant::now() + PEACE);
    }

    fn holds(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts that the server has not taken yet.
#[derive(Default)]
struct Waiting(HashMap<Key, (u64, Counting)>);

impl Waiting {
    fn add(&mut self, (key, by, counting): (Key, u64, Counting)) {
        if self.0.len() < MOST_WAITING || self.0.contains_key(&key) {
            self.0.entry(key).or_insert((0, counting)).0 += by;
        }
    }

    /// Tells the server.
    async fn tell(&mut self, server: &mut ConnectionManager, add: &Script) -> RedisResult<()> {
        while let Some(key) = self.0.keys().next().copied() {
            let (by, Counting { most, within, refuse }) = self.0[&key];
            let (within, refuse) = (within.as_millis() as u64, refuse.as_millis() as u64);
            add.key(name(key)).arg(by).arg(within).arg(most).arg(refuse).invoke_async::<i64>(server).await?;
            self.0.remove(&key);
        }
        Ok(())
    }
}

/// Takes counts to the server; those that it does not take wait until it does. Ends with the last who counts.
async fn take(mut server: ConnectionManager, mut counts: mpsc::Receiver<(Key, u64, Counting)>, peace: Peace) {
    let (add, mut waiting) = (Script::new(ADD), Waiting::default());
    while let Some(count) = counts.recv().await {
        waiting.add(count);
        while waiting.tell(&mut server, &add).await.is_err() {
            peace.begin();
            let again = Instant::now() + PEACE;
            while let Ok(count) = timeout_at(again, counts.recv()).await {
                let Some(count) = count else { return };
                waiting.add(count);
            }
        }
    }
}

fn name(key: Key) -> String {
    format!("holdback:quota:{:032x}", key.0)
}

//! Counts that processes share in a Redis server.

use super::{Counting, Key, Remote as Answer, Standing};
use crate::body::Shutdown;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, RedisResult, Script};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    is_away: Arc<AtomicBool>,
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
        let is_away = Arc::new(AtomicBool::new(false));
        // It ends with the last of those who count.
        tokio::spawn(take(server.clone(), waiting, is_away.clone()));
        Ok(Remote { server, counts, is_away })
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
        let (mut server, is_away) = (self.server.clone(), self.is_away.clone());
        Box::pin(async move {
            if is_away.load(Ordering::Relaxed) {
                return None;
            }
            let asked = async { query.query_async::<Vec<Option<i64>>>(&mut server).await };
            let answers = match timeout(PATIENCE, asked).await {
                Ok(Ok(answers)) if answers.len() == 2 * queried => answers,
                _ => {
                    is_away.store(true, Ordering::Relaxed);
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

/// Takes counts to the server; those that it does not take wait until it does.
async fn take(
    mut server: ConnectionManager,
    mut counts: mpsc::Receiver<(Key, u64, Counting)>,
    is_away: Arc<AtomicBool>,
) {
    let add = Script::new(ADD);
    let mut waiting: HashMap<Key, (u64, Counting)> = HashMap::new();
    let mut tries_again = Instant::now();
    loop {
        let is_idle = waiting.is_empty() && !is_away.load(Ordering::Relaxed);
        let received = if is_idle {
            counts.recv().await.map(Some)
        } else {
            // Whoever finds it away says so, and it is asked until it is back.
            timeout_at(tries_again, counts.recv()).await.map_or(Some(None), |received| received.map(Some))
        };
        match received {
            None => return,
            Some(Some((key, by, counting))) if waiting.len() < MOST_WAITING || waiting.contains_key(&key) => {
                waiting.entry(key).or_insert((0, counting)).0 += by;
            }
            Some(_) => {}
        }
        if Instant::now() < tries_again && is_away.load(Ordering::Relaxed) {
            continue;
        }
        let taken = tell(&mut server, &add, &mut waiting).await;
        is_away.store(taken.is_err(), Ordering::Relaxed);
        if taken.is_err() {
            tries_again = Instant::now() + PEACE;
        }
    }
}

/// Tells the server all that waits, and that somebody is there.
async fn tell(
    server: &mut ConnectionManager,
    add: &Script,
    waiting: &mut HashMap<Key, (u64, Counting)>,
) -> RedisResult<()> {
    if waiting.is_empty() {
        return redis::cmd("PING").query_async(server).await;
    }
    while let Some(key) = waiting.keys().next().copied() {
        let (by, Counting { most, within, refuse }) = waiting[&key];
        let (within, refuse) = (within.as_millis() as u64, refuse.as_millis() as u64);
        add.key(name(key)).arg(by).arg(within).arg(most).arg(refuse).invoke_async::<i64>(server).await?;
        waiting.remove(&key);
    }
    Ok(())
}

fn name(key: Key) -> String {
    format!("holdback:quota:{:032x}", key.0)
}

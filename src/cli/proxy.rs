//! `holdback proxy`: the sidecar.

use super::Exit;
use super::policy::{self, BadPolicy, Loaded, PolicyArgs};
use super::signals::Signals;
use anyhow::Context;
use clap::ValueEnum;
use holdback::Policy;
use holdback::body::Shutdown;
use holdback::net::Trust;
use holdback::quota::Quotas;
use holdback::sidecar::{Config, Drained, Sidecar, Upstream};
use holdback::tower::{OtherContent, Policies};
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::EnvFilter;

/// Where the admin port is unless told otherwise.
const ADMIN: &str = "127.0.0.1:8788";

#[derive(clap::Args)]
pub(super) struct Args {
    /// Where to take requests; anything but loopback opens it to the network
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787", env = "HOLDBACK_LISTEN")]
    listen: SocketAddr,
    /// The API to stand in front of, such as https://api.openai.com
    #[arg(long, value_name = "URL", env = "HOLDBACK_UPSTREAM")]
    upstream: Upstream,
    /// A PEM file of certificate authorities that the upstream may be signed by, beside those of the web
    #[arg(long, value_name = "FILE", value_parser = trust, env = "HOLDBACK_UPSTREAM_CA")]
    upstream_ca: Option<Trust>,
    #[command(flatten)]
    policy: PolicyArgs,
    /// Where to serve /healthz, /readyz and /metrics [default: 127.0.0.1:8788 if it is free]
    #[arg(long, value_name = "ADDRESS", env = "HOLDBACK_ADMIN")]
    admin: Option<SocketAddr>,
    /// A Redis server that counts quotas for all who share it, such as redis://127.0.0.1:6379/0; the policy's
    /// `hash_key_env` names the key that they share
    #[cfg(feature = "redis")]
    #[arg(long, value_name = "URL", env = "HOLDBACK_REDIS", hide_env_values = true)]
    redis: Option<String>,
    /// What happens to responses that cannot be moderated, such as images, and to such requests if rules watch them
    #[arg(long, value_name = "WHAT", default_value = "refuse")]
    other_content: OtherContentName,
    /// How long a connection to the upstream may take, its TLS handshake included
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = limit)]
    connect_timeout: Duration,
    /// How long the upstream may take to begin its response, once it has the whole request
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = limit)]
    response_timeout: Duration,
    /// How long the upstream may say nothing inside its response before that is ended
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = limit)]
    idle_timeout: Duration,
    /// How long a response may go on before it is ended, or a WebSocket's session; 0 sets no limit
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    total_timeout: Duration,
    /// How long nothing may leave before a comment does that keeps an event stream alive; 0 sends none
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    keep_alive: Duration,
    /// How long open streams may go on after SIGTERM, before they are ended with an error; a second SIGTERM or Ctrl-C
    /// does so at once
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = seconds)]
    drain_timeout: Duration,
    /// Threads to work with [default: one per core]
    #[arg(long, value_name = "NUMBER")]
    threads: Option<NonZeroUsize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum OtherContentName {
    Refuse,
    Pass,
}

impl From<OtherContentName> for OtherContent {
    fn from(name: OtherContentName) -> OtherContent {
        match name {
            OtherContentName::Refuse => OtherContent::Refuse,
            OtherContentName::Pass => OtherContent::Pass,
        }
    }
}

impl Args {
    /// Counts quotas, in this process or where `--redis` says.
    fn quotas(&self, hash_key: Option<String>, shutdown: &Shutdown) -> Result<Quotas, BadPolicy> {
        #[cfg(feature = "redis")]
        if let Some(url) = &self.redis {
            let key = hash_key.ok_or_else(|| {
                BadPolicy::new(
                    "those who count together need a key together\n  = help: name its variable in the policy: \
                     `[policy] hash_key_env = \"HOLDBACK_HASH_KEY\"`",
                )
            })?;
            return Ok(Quotas::redis(url, key).map_err(BadPolicy::new)?.kill_switch(shutdown));
        }
        let _ = shutdown;
        Ok(hash_key.map_or_else(Quotas::default, Quotas::in_memory))
    }
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    if args.upstream_ca.is_some() && !args.upstream.is_https() {
        eprintln!("holdback: --upstream-ca has nothing to do: {} is not https", args.upstream);
        return Ok(Exit::Wrong);
    }
    log_to_stderr();
    let loaded = args.policy.load_all()?;
    loaded.policies.iter().for_each(Policy::warm_up);
    let runtime = runtime(args.threads).context("cannot start")?;
    runtime.block_on(serve(args, loaded))
}

fn runtime(threads: Option<NonZeroUsize>) -> io::Result<Runtime> {
    let threads = threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let mut builder = match threads {
        // Nobody to share the work with, so no scheduler for it either: about 7 % less for each event.
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(threads).enable_all().build()
}

async fn serve(args: Args, loaded: Loaded) -> anyhow::Result<Exit> {
    let Loaded { policies, checks, hash_key } = loaded;
    let shutdown = Shutdown::default();
    let quotas = args.quotas(hash_key, &shutdown)?;
    let proxy = bind(args.listen).await?;
    let admin = bind_admin(args.admin).await?;
    // Before anybody can know that we are here.
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    announce(&args, &policies, &proxy, admin.as_ref())?;

    let policies = if policies.iter().all(Policy::is_empty) {
        tracing::warn!("passthrough: nothing is moderated");
        None.into()
    } else {
        policies
    };
    if !args.listen.ip().is_loopback() {
        tracing::warn!(listen = %args.listen, "anyone who reaches this address can use the upstream through it");
    }
    let mut config = Config::new(args.upstream, policies);
    config.checks = checks;
    config.quotas = quotas;
    config.shutdown = shutdown;
    config.trust = args.upstream_ca.unwrap_or_default();
    config.other_content = args.other_content.into();
    config.connect_timeout = args.connect_timeout;
    config.response_timeout = args.response_timeout;
    config.idle_timeout = args.idle_timeout;
    config.total_timeout = Some(args.total_timeout).filter(|limit| !limit.is_zero());
    config.keep_alive = Some(args.keep_alive).filter(|interval| !interval.is_zero());
    config.drain_timeout = args.drain_timeout;

    let mut messages = ["stopping: open streams may finish", "stopping now: open streams are cut"].into_iter();
    let stop = async || {
        signals.next().await;
        tracing::info!("{}", messages.next().unwrap_or_default());
    };
    match Sidecar::new(config, proxy, admin).run(stop).await {
        Drained::Cut(connections) => tracing::warn!(connections, "cut what had not finished in time"),
        _ => tracing::info!("stopped"),
    }
    Ok(Exit::Fine)
}

/// One line for people; everything after it is a log.
fn announce(args: &Args, policies: &Policies, proxy: &TcpListener, admin: Option<&TcpListener>) -> anyhow::Result<()> {
    let policy = policies.otherwise().expect("a file's own");
    let mut rules = policy::count(policy.rules().len());
    match policy.checks().len() {
        0 => {}
        1 => rules.push_str(" and 1 check"),
        checks => rules.push_str(&format!(" and {checks} checks")),
    }
    match policies.iter().count() - 1 {
        0 => {}
        1 => rules.push_str(", and another policy for some requests"),
        others => rules.push_str(&format!(", and {others} other policies for some requests")),
    }
    let name = policy.name().unwrap_or_default();
    let mut line = format!("holdback: http://{} -> {}, {rules} ({name})", proxy.local_addr()?, args.upstream);
    if let Some(admin) = admin {
        line.push_str(&format!(", admin http://{}", admin.local_addr()?));
    }
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    Ok(())
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

async fn bind_admin(address: Option<SocketAddr>) -> anyhow::Result<Option<TcpListener>> {
    if let Some(address) = address {
        return bind(address).await.map(Some);
    }
    // Nobody asked for this port, so a second sidecar on the same machine is no reason to fail.
    let listener = TcpListener::bind(ADMIN).await;
    if let Err(error) = &listener {
        tracing::warn!(%error, "no admin port: {ADMIN} is taken; choose one with --admin");
    }
    Ok(listener.ok())
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("HOLDBACK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().flatten_event(true).with_writer(io::stderr).with_env_filter(filter).init();
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn trust(path: &str) -> Result<Trust, String> {
    let pem = fs::read(path).map_err(|error| error.to_string())?;
    let mut trust = Trust::default();
    trust.add_pem(&pem).map_err(|error| format!("{:#}", anyhow::Error::from(error)))?;
    Ok(trust)
}

fn limit(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        Duration::ZERO => Err("0 would leave no time at all; for no limit to speak of say 86400, a day".to_owned()),
        limit => Ok(limit),
    }
}

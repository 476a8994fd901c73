//! Quotas that processes share, with a real server: `redis-server` where it is installed.
#![cfg(feature = "redis")]

use holdback::body::Shutdown;
use holdback::policy::Severity;
use holdback::quota::Quotas;
use holdback::rule::Quota;
use holdback::tower::{HoldbackLayer, RequestBody};
use holdback::{Policy, Rule};
use http::{Request, Response, StatusCode};
use std::convert::Infallible;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tower::{Layer, ServiceExt, service_fn};

/// A server of one's own, ended when dropped.
struct Server {
    child: Option<Child>,
    port: u16,
    folder: PathBuf,
}

impl Server {
    /// `None` where Redis is not installed.
    fn start() -> Option<Server> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("holdback-redis-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let mut server = Server { child: None, port, folder };
        server.again().then_some(server)
    }

    /// Starts it, with what it knew before.
    fn again(&mut self) -> bool {
        let command = Command::new("redis-server")
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &self.port.to_string(),
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
            ])
            .current_dir(&self.folder)
            .stdout(Stdio::null())
            .spawn();
        self.child = command.ok();
        if self.child.is_none() {
            eprintln!("skipped: there is no redis-server");
        }
        self.child.is_some()
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn quotas(&self) -> Quotas {
        Quotas::redis(&format!("redis://127.0.0.1:{}", self.port), "EXAMPLE").unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn status(policy: &Policy, quotas: &Quotas, user: &str) -> StatusCode {
    let answer = service_fn(|_: Request<RequestBody<String>>| async {
        Ok::<_, Infallible>(Response::builder().status(StatusCode::NO_CONTENT).body(String::new()).unwrap())
    });
    let layer = HoldbackLayer::new(policy.clone()).quotas(quotas.clone());
    let request = Request::get("/").header("x-user", user).body(String::new()).unwrap();
    layer.layer(answer).oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn a_server_that_is_back_is_asked_by_those_who_count_nothing() {
    let Some(mut server) = Server::start() else { return };
    let (policy, quotas) = (policy(1), server.quotas());
    let strikes = Quota::findings("hourly", "own", Severity::Info, 1, Duration::from_secs(3_600)).per_header("x-user");
    let watching = Policy::builder().rule(Rule::literal("own", "Nightjar")).quota(strikes).build().unwrap();
    let watcher = server.quotas();
    server.stop();
    assert_eq!(status(&watching, &watcher, "zoe").await, StatusCode::NO_CONTENT, "it is away");
    assert!(server.again());
    until_refused(&policy, &quotas, "zoe").await;
    // Both count under the same id. It has found nothing, so that it has nothing to tell.
    until_refused(&watching, &watcher, "zoe").await;
}

#[tokio::test]
async fn a_key_of_the_server_is_a_kill_switch_for_all() {
    let Some(server) = Server::start() else { return };
    let shutdowns = [Shutdown::default(), Shutdown::default()];
    let _quotas = shutdowns.each_ref().map(|shutdown| server.quotas().kill_switch(shutdown));
    let url = format!("redis://127.0.0.1:{}", server.port);
    let mut client = redis::Client::open(url).unwrap().get_connection_manager_lazy(Default::default()).unwrap();
    for (command, is_thrown) in [("SET", true), ("DEL", false)] {
        let mut command = redis::cmd(command);
        command.arg("holdback:kill");
        if is_thrown {
            command.arg("an operator, and why");
        }
        let told = async { while command.query_async::<redis::Value>(&mut client).await.is_err() {} };
        tokio::time::timeout(Duration::from_secs(20), told).await.unwrap();
        let all = || shutdowns.iter().all(|shutdown| shutdown.has_begun() == is_thrown);
        let heard = async {
            while !all() {
                tokio::task::yield_now().await
            }
        };
        tokio::time::timeout(Duration::from_secs(20), heard).await.unwrap();
    }
}

/// Asks until a caller is refused; how often that was not so. The server hears of requests some time later, so this is a
/// matter of time, not of number.
async fn until_refused(policy: &Policy, quotas: &Quotas, user: &str) -> usize {
    let began = Instant::now();
    for asked in 0.. {
        if status(policy, quotas, user).await == StatusCode::TOO_MANY_REQUESTS {
            return asked;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{user} is never refused");
        tokio::task::yield_now().await;
    }
    unreachable!()
}

fn policy(requests: u64) -> Policy {
    let quota = Quota::requests("hourly", requests, Duration::from_secs(3_600)).per_header("x-user");
    Policy::builder().quota(quota).build().unwrap()
}

#[tokio::test]
async fn processes_count_together() {
    let Some(server) = Server::start() else { return };
    let (policy, one, other) = (policy(200), server.quotas(), server.quotas());
    assert!(until_refused(&policy, &one, "zoe").await >= 200);
    // The other has not seen her, and would let her have as many again.
    assert!(until_refused(&policy, &other, "zoe").await < 200);
    assert_eq!(status(&policy, &other, "adam").await, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_and_comes_back_stops_nobody() {
    let Some(mut server) = Server::start() else { return };
    let (policy, quotas) = (policy(50), server.quotas());
    // Under load all the while.
    let load = |user: &'static str| {
        let (policy, quotas) = (policy.clone(), quotas.clone());
        tokio::spawn(async move {
            let mut slowest = Duration::ZERO;
            loop {
                let began = Instant::now();
                let status = status(&policy, &quotas, user).await;
                slowest = slowest.max(began.elapsed());
                if status == StatusCode::TOO_MANY_REQUESTS {
                    return slowest;
                }
            }
        })
    };
    load("before").await.unwrap();
    let during = [load("one"), load("two"), load("three")];
    server.stop();
    for load in during {
        // Each is refused by this process's own counts. That nobody waits for long is a bound, not a measurement.
        assert!(load.await.unwrap() < Duration::from_secs(5));
    }
    assert!(server.again());
    // What it knew it knows, and what was counted meanwhile it is told.
    let other = server.quotas();
    until_refused(&policy, &other, "before").await;
    until_refused(&policy, &other, "one").await;
}

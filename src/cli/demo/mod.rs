//! `holdback demo`: a model, the proxy in front of it and a client, in one process and without a network.

mod client;
mod model;
mod script;
mod view;

use super::Exit;
use super::policy::{self, PolicyArgs};
use super::signals::Signals;
use anyhow::Context;
use holdback::sidecar::{Account, Accountant, Config, Sidecar};
use std::io::{self, IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{channel, unbounded_channel};
use view::{Beat, Kept, Look, View};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Where the proxy listens; any free port if it is taken
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// Milliseconds between two tokens
    #[arg(long, value_name = "MS", default_value_t = 60)]
    pace: u64,
    /// Leave after the first answer instead of serving on
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    policy: PolicyArgs,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    tokio::runtime::Runtime::new().context("cannot start")?.block_on(show(args))
}

async fn show(args: Args) -> anyhow::Result<Exit> {
    let policy = args.policy.load()?;
    let (watch, mut beats) = unbounded_channel();
    let (closed, mut accounts) = unbounded_channel();

    let model = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on loopback")?;
    let upstream = format!("http://{}", model.local_addr()?).parse().expect("an address is an upstream");
    tokio::spawn(model::serve(model, Duration::from_millis(args.pace), watch.clone()));

    let proxy = match TcpListener::bind(args.listen).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind((args.listen.ip(), 0)).await.context("cannot listen")?,
    };
    let address = proxy.local_addr()?;
    let mut output = io::stdout();
    writeln!(
        output,
        "A model answers; holdback stands in front of it with {}. Watch what it does.\n",
        policy::count(policy.rules().len())
    )?;

    let mut config = Config::new(upstream, policy.clone());
    config.accountant = Accountant::new(move |account: &Account| {
        // After the first answer nobody reads them any more.
        let _ = closed.send(account.clone());
    });
    // Closed at the end, which is every reason to stop at once.
    let (stop, mut stopped) = channel::<()>(1);
    let sidecar = tokio::spawn(Sidecar::new(config, proxy, None).run(async move || {
        stopped.recv().await;
    }));

    let look = if output.is_terminal() && std::env::var_os("NO_COLOR").is_none() { Look::Colour } else { Look::Plain };
    let mut view = View::new(io::stdout(), look);
    view.head()?;
    let asking = tokio::spawn(client::ask(address, watch));
    while let Some(beat) = beats.recv().await {
        let is_over = matches!(beat, Beat::Over);
        view.take(beat)?;
        if is_over {
            break;
        }
    }
    asking.await.context("the demo's client failed")??;
    let kept = view.totals(&policy, accounts.recv().await.as_ref())?;

    if policy.rules().any(|rule| rule.id() == "pii.email") {
        writeln!(
            output,
            "\n  Most of the waiting is the price of one rule, pii.email: any word may become an address."
        )?;
        writeln!(output, "  Compare: holdback demo --pack secrets")?;
    }
    if !args.once {
        writeln!(output, "\nStill serving. Ask it yourself:\n")?;
        writeln!(output, "  curl -N http://{address}/v1/chat/completions -H 'content-type: application/json' \\")?;
        writeln!(output, "    -d '{}'\n", client::QUESTION)?;
        writeln!(output, "or put it in front of your own API: holdback proxy --upstream https://api.openai.com\n")?;
        writeln!(output, "Ctrl-C ends it.")?;
        Signals::listen().context("cannot listen for signals")?.next().await;
    }
    drop(stop);
    sidecar.await.context("the proxy failed")?;
    Ok(if kept == Kept::All { Exit::Fine } else { Exit::Failed })
}

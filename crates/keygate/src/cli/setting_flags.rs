//! The flags of settings.

use clap::{Arg, ArgMatches, Command};

use crate::config::{Given, Place, SETTINGS, Setting};

/// Flags that are no settings come first in the help.
const AFTER_THE_OTHERS: usize = 100;

/// Adds the flag of each setting that has one to the commands that take it.
pub(super) fn add(command: Command) -> Command {
    // Every command needs the database.
    let is_global = |setting: &Setting| setting.name == "storage.database";
    let of_server = || flags(move |setting| !is_global(setting));
    let of_demo = flags(|setting| setting.name == "server.listen");
    command
        .args(flags(is_global).map(|flag| flag.global(true)))
        .mut_subcommand("serve", |serve| serve.args(of_server()))
        .mut_subcommand("doctor", |doctor| doctor.args(of_server()))
        .mut_subcommand("config", |config| {
            config.mut_subcommand("check", |check| check.args(of_server()))
        })
        .mut_subcommand("demo", |demo| demo.args(of_demo))
}

/// The settings that the flags give.
pub(super) fn given(mut matches: &ArgMatches) -> Vec<Given> {
    while let Some((_, below)) = matches.subcommand() {
        matches = below;
    }
    let given = SETTINGS.iter().filter_map(|setting| {
        // A command that does not take it does not know it.
        let text = matches.try_get_one::<String>(setting.name).ok()??;
        Some(Given::once(setting.name, Place::Flag, text))
    });
    given.collect()
}

fn flags(is_taken: impl Fn(&Setting) -> bool) -> impl Iterator<Item = Arg> {
    let taken = SETTINGS.iter().filter(move |setting| is_taken(setting));
    taken.filter_map(|setting| {
        let (name, value) = setting.flag?.split_once(' ')?;
        let flag = Arg::new(setting.name).long(name.strip_prefix("--")?);
        let flag = flag.value_name(value).help(help(setting));
        Some(flag.display_order(AFTER_THE_OTHERS))
    })
}

/// The first sentence about it, and what else gives it.
fn help(setting: &Setting) -> String {
    let (sentence, _) = setting.help.split_once(". ").unwrap_or((setting.help, ""));
    let mut help = sentence.trim_end_matches('.').replace('`', "");
    for variable in setting.variables().iter().take(1) {
        help.push_str(&format!(" [env: {variable}]"));
    }
    if let Some(default) = setting.default {
        help.push_str(&format!(" [default: {default}]"));
    }
    help
}

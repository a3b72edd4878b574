//! What commands are told: on standard input, or on the terminal.

use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    process::exit,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// All of standard input; `what` it is, for the error.
pub(super) fn standard_input(what: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| cannot_read(what, &error))?;
    Ok(text)
}

/// The text without the one line end that `echo` and editors leave. More than that is part of it.
pub(super) fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

fn cannot_read(what: &str, error: &std::io::Error) -> Failure {
    let why = match error.kind() {
        ErrorKind::InvalidData => "it is no text in UTF-8".to_owned(),
        _ => error.to_string(),
    };
    Failure::new(format!(
        "The {what} cannot be read ({why}). Nothing was changed."
    ))
}

/// Asks on the terminal, which does not show what is typed. A signal that ends the program leaves the
/// terminal as it was.
pub(super) async fn ask_password(prompt: &'static str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| cannot_read("password", &error);
    let terminal = Terminal::silence().map_err(failed)?;
    let mut signals = EndingSignals::listen().map_err(failed)?;
    let typed = tokio::task::spawn_blocking(move || rpassword::prompt_password(prompt));
    tokio::select! {
        biased;
        signal = signals.next() => terminal.restore_and_exit(signal),
        typed = typed => match typed.map_err(std::io::Error::other).and_then(|typed| typed) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                terminal.restore_and_exit(SignalKind::interrupt())
            }
            typed => typed.map_err(failed),
        },
    }
}

/// The terminal, and how it was set before the question; it is set so again once this is dropped.
struct Terminal {
    file: File,
    settings: Termios,
}

impl Terminal {
    /// From before the question is seen: who types at once is not shown either, and Ctrl-C is read as what is
    /// typed.
    fn silence() -> std::io::Result<Self> {
        let file = File::options().read(true).write(true).open("/dev/tty")?;
        let settings = tcgetattr(&file)?;
        let mut silent = settings.clone();
        silent.local_modes -=
            LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(&file, OptionalActions::Now, &silent)?;
        Ok(Self { file, settings })
    }

    fn restore_and_exit(mut self, signal: SignalKind) -> ! {
        let _ = writeln!(self.file);
        drop(self);
        exit(128 + signal.as_raw_value())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Nothing is left to be done where the terminal is gone.
        let _ = tcsetattr(&self.file, OptionalActions::Now, &self.settings);
    }
}

/// The signals by which people and shells end a program.
struct EndingSignals(Vec<(SignalKind, Signal)>);

impl EndingSignals {
    fn listen() -> std::io::Result<Self> {
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::quit(),
        ];
        let signals: Result<_, _> = kinds
            .into_iter()
            .map(|kind| Ok((kind, signal(kind)?)))
            .collect();
        signals.map(Self)
    }

    async fn next(&mut self) -> SignalKind {
        std::future::poll_fn(|context| {
            for (kind, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*kind);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::without_line_end;

    #[test]
    fn one_line_end_is_none_of_the_text() {
        for (text, expected) in [
            ("words", "words"),
            ("words\n", "words"),
            ("words\r\n", "words"),
            ("words\n\n", "words\n"),
            ("words\r", "words\r"),
            (" words ", " words "),
            ("\n", ""),
        ] {
            assert_eq!(without_line_end(text.to_owned()), expected, "{text:?}");
        }
    }
}

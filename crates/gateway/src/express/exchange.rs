//! A request to an upstream, and its answer.

use std::{io, time::Duration};

use http::{Method, Version, header};
use keygate_core::Problem;
use keygate_http::X_REQUEST_ID;
use keygate_traces::{RequestSpan, is_trace_context};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    answer::{self, Answer, Framing},
    chunked::Piece,
    client::{Client, ClientStream, Interrupted},
    head::Request,
    outbox::Outbox,
};
use crate::{
    admitted::Admitted,
    decorate::Decoration,
    faults::{connect_problem, failure_response, timeout_problem, unreachable_problem},
    forward::may_be_repeated,
    forwarding,
    framing::Malformed,
    gateway::client_gone,
    headers,
    own_credential::{JUDGE_TIMEOUT, MAX_JUDGED, Verdict},
    pool::Pooled,
    upstream::Upstream,
};

/// How much of an answer is read at a time.
const READ_SIZE: usize = 16 * 1024;

/// A request that was let through, and where it goes.
pub(super) struct Exchange<'a, 'g> {
    pub(super) method: &'a Method,
    pub(super) request: Request<'a>,
    pub(super) target: &'a str,
    pub(super) admitted: &'a mut Admitted<'g>,
    pub(super) decoration: &'a Decoration<'a>,
    pub(super) span: Option<&'a RequestSpan>,
}

impl Exchange<'_, '_> {
    /// Sends the request to its upstream and the answer to the client, as it comes. A request that may
    /// have been sent is never sent again, but for one without content that met a kept connection as the
    /// upstream closed it. If the client goes, so does the connection to the upstream.
    pub(super) async fn run<S>(
        &mut self,
        client: &mut Client<'_, S>,
        outbox: &mut Outbox,
    ) -> io::Result<()>
    where
        S: ClientStream,
    {
        let mut inbound = Vec::with_capacity(READ_SIZE);
        let (mut upstream, answer) = match self.ask(client, outbox, &mut inbound).await {
            Ok(answered) => answered,
            Err(interrupted) => return self.give_up(&interrupted, client, outbox).await,
        };
        if let Some(span) = self.span {
            span.note_upstream_status(answer.status);
        }
        match self
            .refuses_credential(&answer, &mut upstream.connection, client, &mut inbound)
            .await
        {
            Ok(false) => {}
            Ok(true) => {
                let problem = self
                    .admitted
                    .upstream()
                    .own_credential
                    .refused(self.admitted.upstream(), answer.status);
                return self.fail(&problem, client, outbox).await;
            }
            Err(interrupted) => return self.give_up(&interrupted, client, outbox).await,
        }
        outbox.end_of_head(self.decoration, answer.has_date);
        let mut framing = answer.framing;
        let piece = match framing.follow(&inbound) {
            Ok(piece) => piece,
            Err(malformed) => {
                let problem = unreachable_problem(self.admitted.upstream(), &malformed);
                return self.fail(&problem, client, outbox).await;
            }
        };
        let mut body = Body {
            framing,
            is_clean: piece.length == inbound.len(),
        };
        push_piece(outbox, framing, &inbound, &piece);
        self.admitted.answers.count(outbox.status());
        client.send(outbox).await?;
        body.pass(&mut upstream.connection, inbound, client, outbox)
            .await?;
        if body.is_clean && answer.is_reusable {
            let sockets = &self.admitted.upstream().sockets;
            sockets.give_back(upstream, answer.announced);
        }
        Ok(())
    }

    /// Sends an error, if the client is still there.
    async fn give_up<S>(
        &self,
        interrupted: &Interrupted,
        client: &mut Client<'_, S>,
        outbox: &mut Outbox,
    ) -> io::Result<()>
    where
        S: ClientStream,
    {
        let upstream = self.admitted.upstream();
        let problem = match interrupted {
            Interrupted::ClientGone => {
                outbox.note_status(client_gone());
                self.admitted.answers.count(client_gone());
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            Interrupted::TimedOut => timeout_problem(upstream),
            Interrupted::NotConnected(error) => connect_problem(upstream, error),
            Interrupted::Failed(error) => unreachable_problem(upstream, error),
        };
        self.fail(&problem, client, outbox).await
    }

    /// Whether an answer refuses the credential that was sent along. Where the body says so, more of it is
    /// read, as far as it comes in time.
    async fn refuses_credential<S>(
        &self,
        answer: &Answer,
        connection: &mut TcpStream,
        client: &mut Client<'_, S>,
        inbound: &mut Vec<u8>,
    ) -> Result<bool, Interrupted>
    where
        S: ClientStream,
    {
        let own = &self.admitted.upstream().own_credential;
        match own.judge(answer.status) {
            Verdict::Passes => return Ok(false),
            Verdict::Refused => return Ok(true),
            Verdict::DependsOnBody => client.allow(JUDGE_TIMEOUT),
        }
        while inbound.len() < MAX_JUDGED && !answer.is_over_after(inbound)? {
            inbound.reserve(READ_SIZE);
            match client.watch(connection.read_buf(inbound)).await {
                Ok(0) | Err(Interrupted::TimedOut) => break,
                read => read?,
            };
        }
        Ok(own.is_named_in(inbound))
    }

    /// Sends the request and reads the head of the answer, of which what passes is then in the outbox.
    async fn ask<S>(
        &mut self,
        client: &mut Client<'_, S>,
        outbox: &mut Outbox,
        inbound: &mut Vec<u8>,
    ) -> Result<(Pooled<TcpStream>, Answer), Interrupted>
    where
        S: ClientStream,
    {
        self.write_request(outbox);
        if let Some(mut kept) = self.admitted.upstream().sockets.take() {
            let asked = self.ask_over(&mut kept, client, outbox, inbound).await;
            match asked {
                Err(Interrupted::Failed(_)) if inbound.is_empty() && self.may_be_repeated() => {}
                asked => return asked.map(|answer| (kept, answer)),
            }
        }
        let mut kept = self.connect(client, outbox).await?;
        let answer = self.ask_over(&mut kept, client, outbox, inbound).await?;
        Ok((kept, answer))
    }

    /// Connects to the upstream, or to another one in its place, for which the request is then written.
    async fn connect<S>(
        &mut self,
        client: &mut Client<'_, S>,
        outbox: &mut Outbox,
    ) -> Result<Pooled<TcpStream>, Interrupted>
    where
        S: ClientStream,
    {
        loop {
            let connecting = self.admitted.upstream().connector.connect_plain();
            let connected = client.accompany(connecting).await;
            match connected.ok_or(Interrupted::ClientGone)? {
                Ok(kept) => return Ok(kept),
                Err(error) if error.is_upstreams() && self.admitted.turn.pass_on() => {
                    self.write_request(outbox);
                }
                Err(error) => return Err(Interrupted::NotConnected(error)),
            }
        }
    }

    fn may_be_repeated(&self) -> bool {
        may_be_repeated(self.method) && self.request.body().is_empty()
    }

    async fn ask_over<S>(
        &self,
        Pooled { connection, .. }: &mut Pooled<TcpStream>,
        client: &mut Client<'_, S>,
        outbox: &mut Outbox,
        inbound: &mut Vec<u8>,
    ) -> Result<Answer, Interrupted>
    where
        S: ClientStream,
    {
        let upstream = self.admitted.upstream();
        client.look().await?;
        client.allow(upstream.write_timeout);
        client.watch(connection.write_all(outbox.bytes())).await?;
        // Until all of the answer's head is there, whatever comes before it.
        client.allow(upstream.response_timeout);
        loop {
            inbound.reserve(READ_SIZE);
            if client.watch(connection.read_buf(inbound)).await? == 0 {
                return Err(Interrupted::Failed(io::ErrorKind::UnexpectedEof.into()));
            }
            while let Some(answer) = read_answer(inbound, outbox, upstream)? {
                inbound.drain(..answer.head_length);
                // RFC 9110 section 15.2: what comes before the answer may be left out.
                if !answer.status.is_informational() {
                    return Ok(answer);
                }
            }
        }
    }

    fn write_request(&self, outbox: &mut Outbox) {
        let upstream = self.admitted.upstream();
        outbox.clear();
        outbox.push(self.request.method());
        outbox.push(b" ");
        for part in upstream.target_parts(self.target) {
            outbox.push(part.as_bytes());
        }
        outbox.push(b" HTTP/1.1\r\n");
        outbox.header(&header::HOST, upstream.address.host.as_bytes());
        for (name, value) in self.request.headers() {
            let is_replaced = self.span.is_some() && is_trace_context(name);
            if headers::is_for_upstream(name) && !is_replaced {
                outbox.raw_header(name, value);
            }
        }
        if let Some(span) = self.span {
            upstream.begin_span(span, |name, value| outbox.header(name, value));
        }
        let received = Version::HTTP_11;
        forwarding::write(
            &self.request,
            self.admitted.peer,
            received,
            |name, value| {
                outbox.raw_header(name, value);
            },
        );
        outbox.identity(&self.admitted.key);
        outbox.header(&X_REQUEST_ID, self.decoration.id().as_bytes());
        if let Some(authorization) = &upstream.own_credential.authorization {
            outbox.header(&header::AUTHORIZATION, authorization.as_bytes());
        }
        outbox.push(b"\r\n");
        outbox.push(self.request.body());
    }

    async fn fail<S>(
        &self,
        problem: &Problem,
        client: &mut Client<'_, S>,
        outbox: &mut Outbox,
    ) -> io::Result<()>
    where
        S: ClientStream,
    {
        if let Some(span) = self.span {
            span.note_upstream_failure(problem.code.as_str());
        }
        self.admitted.turn.note_failure(problem);
        outbox.response(failure_response(problem, self.method), self.decoration);
        self.admitted.answers.count(outbox.status());
        client.send(outbox).await
    }
}

fn read_answer(
    inbound: &[u8],
    outbox: &mut Outbox,
    upstream: &Upstream,
) -> Result<Option<Answer>, Interrupted> {
    outbox.clear();
    Ok(answer::read(inbound, outbox, upstream)?)
}

/// The rest of a response body.
struct Body {
    framing: Framing,
    /// Whether the upstream has said nothing beyond it.
    is_clean: bool,
}

impl Body {
    /// Passes the rest of the body to the client as it comes. `inbound` is room to read into.
    async fn pass<S>(
        &mut self,
        upstream: &mut TcpStream,
        mut inbound: Vec<u8>,
        client: &mut Client<'_, S>,
        outbox: &mut Outbox,
    ) -> io::Result<()>
    where
        S: ClientStream,
    {
        // However long it takes: an answer that has begun is not cut off.
        client.allow(Duration::MAX);
        if !matches!(self.framing, Framing::Length(_)) {
            client.begin_stream();
        }
        while !self.framing.is_over() {
            inbound.clear();
            outbox.clear();
            match client.watch(upstream.read_buf(&mut inbound)).await {
                Ok(0) if self.framing == Framing::UntilClose => {
                    outbox.chunk(b"");
                    return client.send(outbox).await;
                }
                Ok(0) | Err(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
            }
            let piece = self.framing.follow(&inbound)?;
            self.is_clean = piece.length == inbound.len();
            if self.framing == Framing::UntilClose {
                outbox.chunk(&inbound);
                client.send(outbox).await?;
            } else if let Some(passing) = piece.as_whole(&inbound) {
                client.send_bytes(passing).await?;
            } else {
                push_piece(outbox, self.framing, &inbound, &piece);
                client.send(outbox).await?;
            }
        }
        Ok(())
    }
}

/// Adds the part of the body that arrived together with the head.
fn push_piece(outbox: &mut Outbox, framing: Framing, bytes: &[u8], piece: &Piece) {
    match framing {
        // An empty chunk would be the end.
        Framing::UntilClose if bytes.is_empty() => {}
        Framing::UntilClose => outbox.chunk(bytes),
        Framing::Length(_) | Framing::Chunked(_) => {
            for passing in piece.passing(bytes) {
                outbox.push(passing);
            }
        }
    }
}

impl From<Malformed> for Interrupted {
    fn from(malformed: Malformed) -> Self {
        Self::Failed(malformed.into())
    }
}

impl From<Malformed> for io::Error {
    fn from(malformed: Malformed) -> Self {
        Self::new(io::ErrorKind::InvalidData, malformed)
    }
}

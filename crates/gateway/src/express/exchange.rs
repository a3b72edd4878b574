//! A request to an upstream, and its answer.

use std::{io, time::Duration};

use http::header;
use keygate_core::Problem;
use keygate_http::{RequestId, X_REQUEST_ID, problem_response};
use keygate_traces::{RequestSpan, is_trace_context};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    answer::{self, Answer, Framing},
    chunked::Piece,
    client::{Client, Interrupted},
    head::Request,
    outbox::Outbox,
};
use crate::{
    forward::{timeout_problem, unreachable_problem},
    forwarding,
    framing::Malformed,
    gateway::Passage,
    headers,
    upstream::Socket,
};

/// How much of an answer is read at a time.
const READ_SIZE: usize = 16 * 1024;

/// A request that was let through, and where it goes.
pub(super) struct Exchange<'a> {
    pub(super) request: Request<'a>,
    pub(super) target: &'a str,
    pub(super) passage: &'a Passage<'a>,
    pub(super) id: &'a RequestId,
    pub(super) span: Option<&'a RequestSpan>,
}

impl Exchange<'_> {
    /// Sends the request to its upstream and the answer to the client, as it comes. A request that may
    /// have been sent is never sent again. If the client goes, so does the connection to the upstream.
    pub(super) async fn run<S>(
        &self,
        client: &mut Client<'_, S>,
        outbox: &mut Outbox,
    ) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut inbound = Vec::with_capacity(READ_SIZE);
        let (mut upstream, answer) = match self.ask(client, outbox, &mut inbound).await {
            Ok(answered) => answered,
            Err(Interrupted::ClientGone) => return Err(io::ErrorKind::ConnectionAborted.into()),
            Err(Interrupted::TimedOut) => {
                return self
                    .fail(&timeout_problem(self.passage.upstream), client, outbox)
                    .await;
            }
            Err(Interrupted::Failed(error)) => {
                let problem = unreachable_problem(self.passage.upstream, &error);
                return self.fail(&problem, client, outbox).await;
            }
        };
        if let Some(span) = self.span {
            span.note_upstream_status(answer.status);
        }
        outbox.end_of_head(self.id, answer.has_date);
        let mut framing = answer.framing;
        let piece = match framing.follow(&inbound) {
            Ok(piece) => piece,
            Err(malformed) => {
                let problem = unreachable_problem(self.passage.upstream, &malformed);
                return self.fail(&problem, client, outbox).await;
            }
        };
        let mut body = Body {
            framing,
            is_clean: piece.length == inbound.len(),
        };
        push_piece(outbox, framing, &inbound, &piece);
        self.passage.answers.count(outbox.status());
        client.send(outbox).await?;
        body.pass(&mut upstream, inbound, client, outbox).await?;
        if body.is_clean && answer.is_reusable {
            self.passage.upstream.pool.give_back(upstream);
        }
        Ok(())
    }

    /// Sends the request and reads the head of the answer, of which what passes is then in the outbox.
    async fn ask<S>(
        &self,
        client: &mut Client<'_, S>,
        outbox: &mut Outbox,
        inbound: &mut Vec<u8>,
    ) -> Result<(TcpStream, Answer), Interrupted>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let socket = self
            .passage
            .upstream
            .socket()
            .expect("checked by the caller");
        self.write_request(outbox);
        client.allow(self.passage.upstream.silence_timeout());
        let mut upstream = match self.passage.upstream.pool.take() {
            Some(upstream) => upstream,
            None => client.watch(self.connect(socket)).await?,
        };
        client.watch(upstream.write_all(outbox.bytes())).await?;
        client.allow(self.passage.upstream.silence_timeout());
        loop {
            inbound.reserve(READ_SIZE);
            if client.watch(upstream.read_buf(inbound)).await? == 0 {
                return Err(Interrupted::Failed(io::ErrorKind::UnexpectedEof.into()));
            }
            while let Some(answer) = read_answer(inbound, outbox)? {
                inbound.drain(..answer.head_length);
                // RFC 9110 section 15.2: what comes before the answer may be left out.
                if !answer.status.is_informational() {
                    return Ok((upstream, answer));
                }
            }
        }
    }

    async fn connect(&self, Socket { host, port }: &Socket) -> io::Result<TcpStream> {
        let connecting = TcpStream::connect((host.as_str(), *port));
        let stream = timeout(self.passage.upstream.connect_timeout, connecting).await??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn write_request(&self, outbox: &mut Outbox) {
        let upstream = self.passage.upstream;
        outbox.clear();
        for part in [
            self.request.method(),
            b" ",
            upstream.base_path().as_bytes(),
            self.target.as_bytes(),
            b" HTTP/1.1\r\n",
        ] {
            outbox.push(part);
        }
        outbox.header(&header::HOST, upstream.authority().as_bytes());
        for (name, value) in self.request.headers() {
            let is_replaced = self.span.is_some() && is_trace_context(name);
            if headers::is_for_upstream(name) && !is_replaced {
                outbox.raw_header(name, value);
            }
        }
        if let Some(span) = self.span {
            upstream.begin_span(span, |name, value| outbox.header(name, value));
        }
        forwarding::write(&self.request, self.passage.peer, |name, value| {
            outbox.raw_header(name, value);
        });
        outbox.identity(&self.passage.key);
        outbox.header(&X_REQUEST_ID, self.id.as_bytes());
        if let Some(authorization) = &upstream.authorization {
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
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if let Some(span) = self.span {
            span.note_upstream_failure(problem.code.as_str());
        }
        outbox.response(&problem_response(problem), self.id);
        self.passage.answers.count(outbox.status());
        client.send(outbox).await
    }
}

fn read_answer(inbound: &[u8], outbox: &mut Outbox) -> Result<Option<Answer>, Interrupted> {
    outbox.clear();
    answer::read(inbound, outbox).map_err(|malformed| Interrupted::Failed(malformed.into()))
}

/// What is to come of an answer's body.
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
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // However long it takes: an answer that has begun is not cut off.
        client.allow(Duration::MAX);
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
            } else {
                client.send_bytes(&inbound[..piece.trailers.start]).await?;
                client
                    .send_bytes(&inbound[piece.trailers.end..piece.length])
                    .await?;
            }
        }
        Ok(())
    }
}

/// Adds what came of the body together with the head.
fn push_piece(outbox: &mut Outbox, framing: Framing, bytes: &[u8], piece: &Piece) {
    match framing {
        // An empty chunk would be the end.
        Framing::UntilClose if bytes.is_empty() => {}
        Framing::UntilClose => outbox.chunk(bytes),
        Framing::Length(_) | Framing::Chunked(_) => {
            outbox.push(&bytes[..piece.trailers.start]);
            outbox.push(&bytes[piece.trailers.end..piece.length]);
        }
    }
}

impl From<Malformed> for io::Error {
    fn from(malformed: Malformed) -> Self {
        Self::new(io::ErrorKind::InvalidData, malformed)
    }
}

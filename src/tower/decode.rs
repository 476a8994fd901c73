//! Upstreams that compress although asked not to, and clients that do.

use crate::body::Error;
use bytes::{Buf, Bytes, BytesMut};
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Input is decoded this much at a time. Deflate grows by at most a factor of 1032, so one step never makes more
/// than about 2 MiB of it, however hostile the upstream.
const STEP_BYTES: usize = 2 * 1024;

/// A content coding that we can undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Deflate,
}

impl Coding {
    pub(super) fn named(name: &str) -> Option<Coding> {
        match name.trim().to_ascii_lowercase().as_str() {
            "identity" | "" => Some(Coding::Identity),
            "gzip" | "x-gzip" => Some(Coding::Gzip),
            "deflate" => Some(Coding::Deflate),
            _ => None,
        }
    }

    /// Undoes the coding of a whole body, if that gives no more than `most` bytes.
    pub(super) fn decode(self, body: Bytes, most: usize) -> Result<Bytes, Undecoded> {
        let mut decoder = Decoder::of(self);
        if let Decoder::Identity = decoder {
            return Ok(body);
        }
        let mut plain = BytesMut::new();
        for step in body.chunks(STEP_BYTES) {
            plain.extend_from_slice(&decoder.decode(body.slice_ref(step)).map_err(|_| Undecoded::Broken)?);
            if plain.len() > most {
                return Err(Undecoded::TooLarge);
            }
        }
        decoder.finish().map_err(|_| Undecoded::Broken)?;
        Ok(plain.freeze())
    }
}

/// Why a whole body could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undecoded {
    TooLarge,
    /// It is not coded as its head says, or is not all there.
    Broken,
}

pin_project! {
    /// A body without its content coding.
    pub(super) struct Decoded<B> {
        #[pin]
        body: B,
        decoder: Decoder,
        // Received, not yet decoded.
        input: Bytes,
    }
}

impl<B: Body> Decoded<B> {
    pub(super) fn new(body: B, coding: Coding) -> Decoded<B> {
        Decoded { body, decoder: Decoder::of(coding), input: Bytes::new() }
    }
}

impl<B: Body> Body for Decoded<B> {
    type Data = Bytes;
    type Error = Error<B::Error>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error<B::Error>>>> {
        let mut this = self.project();
        loop {
            if !this.input.is_empty() {
                let step = this.input.split_to(this.input.len().min(STEP_BYTES));
                let Ok(decoded) = this.decoder.decode(step) else { return Poll::Ready(Some(Err(Error::Unreadable))) };
                if decoded.is_empty() {
                    continue;
                }
                return Poll::Ready(Some(Ok(Frame::data(decoded))));
            }
            let frame = match ready!(this.body.as_mut().poll_frame(cx)) {
                Some(frame) => frame.map_err(Error::Upstream)?,
                None if this.decoder.finish().is_err() => return Poll::Ready(Some(Err(Error::Unreadable))),
                None => return Poll::Ready(None),
            };
            match frame.into_data() {
                Ok(mut data) => *this.input = data.copy_to_bytes(data.remaining()),
                Err(_) if this.decoder.finish().is_err() => return Poll::Ready(Some(Err(Error::Unreadable))),
                Err(frame) => return Poll::Ready(frame.into_trailers().ok().map(|it| Ok(Frame::trailers(it)))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.decoder, Decoder::Identity) && self.input.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.decoder {
            Decoder::Identity => self.body.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

enum Decoder {
    Identity,
    Gzip(MultiGzDecoder<Vec<u8>>),
    Zlib(ZlibDecoder<Vec<u8>>),
    Deflate(DeflateDecoder<Vec<u8>>),
    /// `deflate` means zlib (RFC 9110, 8.4.1.2), but some servers send it bare: the first byte tells.
    UnknownDeflate,
}

impl Decoder {
    fn of(coding: Coding) -> Decoder {
        match coding {
            Coding::Identity => Decoder::Identity,
            Coding::Gzip => Decoder::Gzip(MultiGzDecoder::new(Vec::new())),
            Coding::Deflate => Decoder::UnknownDeflate,
        }
    }

    fn decode(&mut self, input: Bytes) -> io::Result<Bytes> {
        fn through<D: Write>(decoder: &mut D, input: &[u8]) -> io::Result<()> {
            decoder.write_all(input)?;
            // Without it the decoder keeps up to 32 KiB to itself, which would hold tokens back.
            decoder.flush()
        }
        let decoded = match self {
            Decoder::Identity => return Ok(input),
            Decoder::Gzip(decoder) => {
                through(decoder, &input)?;
                std::mem::take(decoder.get_mut())
            }
            Decoder::Zlib(decoder) => {
                through(decoder, &input)?;
                std::mem::take(decoder.get_mut())
            }
            Decoder::Deflate(decoder) => {
                through(decoder, &input)?;
                std::mem::take(decoder.get_mut())
            }
            Decoder::UnknownDeflate => {
                // The low half of zlib's first byte is 8, which no encoder makes of a bare block's head.
                *self = match input.first() {
                    Some(byte) if byte & 0x0f == 8 => Decoder::Zlib(ZlibDecoder::new(Vec::new())),
                    _ => Decoder::Deflate(DeflateDecoder::new(Vec::new())),
                };
                return self.decode(input);
            }
        };
        Ok(decoded.into())
    }

    /// Fails if the input ended inside what it encodes.
    fn finish(&mut self) -> io::Result<()> {
        match self {
            Decoder::Identity | Decoder::UnknownDeflate => Ok(()),
            Decoder::Gzip(decoder) => decoder.try_finish(),
            Decoder::Zlib(decoder) => decoder.try_finish(),
            Decoder::Deflate(decoder) => decoder.try_finish(),
        }
    }
}

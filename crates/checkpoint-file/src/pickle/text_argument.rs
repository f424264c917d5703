//! Arguments of the instructions that protocols 0 and 1 write as lines of text.

use std::borrow::Cow;

use super::heap::{ByteString, Object, Value};
use crate::fault::{Fault, malformed};

/// What INT says: a number, or a truth value where it is written with two digits.
pub(super) fn integer(line: &str, position: usize) -> Result<Result<Value, i128>, Fault> {
    match line {
        "00" => return Ok(Ok(Value::Bool(false))),
        "01" => return Ok(Ok(Value::Bool(true))),
        _ => {}
    }
    // LONG ends in an L, which INT of Python 2 may have too.
    let digits = line.trim().trim_end_matches('L');
    let number: i128 = digits
        .parse()
        .map_err(|_| malformed!("the line at byte {position} is no integer of at most 128 bits"))?;
    Ok(i64::try_from(number).map(Value::Int).map_err(|_| number))
}

/// What FLOAT says.
pub(super) fn float(line: &str, position: usize) -> Result<Value, Fault> {
    line.trim()
        .parse()
        .map(Value::Float)
        .map_err(|_| malformed!("the line at byte {position} is no number"))
}

/// What UNICODE says: Latin-1 with `\uXXXX` and `\UXXXXXXXX` for all other characters, and for those that end a line.
pub(super) fn unicode<'a>(line: &'a [u8], position: usize) -> Result<Cow<'a, str>, Fault> {
    if let Ok(text) = std::str::from_utf8(line)
        && text.is_ascii()
        && !text.contains('\\')
    {
        return Ok(Cow::Borrowed(text));
    }
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let [first, after @ ..] = rest {
        rest = after;
        let digits = match (first, after) {
            (b'\\', [b'u', ..]) => 4,
            (b'\\', [b'U', ..]) => 8,
            _ => {
                text.push(char::from(*first));
                continue;
            }
        };
        let code = after
            .get(1..=digits)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        // Half of a pair of surrogates is no character; none is part of a name or of a byte string.
        let character =
            code.map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        text.push(character.ok_or_else(|| {
            malformed!(
                "the text at byte {position} has an escape without {digits} hexadecimal digits"
            )
        })?);
        rest = &after[1 + digits..];
    }
    Ok(Cow::Owned(text))
}

/// What STRING says: a byte string of Python 2 as its `repr`, text where it can be.
pub(super) fn string<'a>(line: &'a [u8], position: usize) -> Result<Object<'a>, Fault> {
    let wrong = || malformed!("the string at byte {position} is not written as Python does");
    let line = line.trim_ascii_end();
    let inner = match line {
        [first @ (b'\'' | b'"'), inner @ .., last] if first == last => inner,
        _ => return Err(wrong()),
    };
    if !inner.contains(&b'\\')
        && let Ok(text) = std::str::from_utf8(inner)
    {
        return Ok(Object::Text(Cow::Borrowed(text)));
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (code, after) = after.split_first().ok_or_else(wrong)?;
        rest = after;
        bytes.push(match code {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'\\' | b'\'' | b'"' => *code,
            b'x' => {
                let digits = after.get(..2).and_then(|d| std::str::from_utf8(d).ok());
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                rest = &after[2.min(after.len())..];
                byte.ok_or_else(wrong)?
            }
            _ => return Err(wrong()),
        });
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Object::Text(Cow::Owned(text)),
        Err(error) => Object::Bytes(ByteString::Decoded(std::sync::Arc::new(error.into_bytes()))),
    })
}

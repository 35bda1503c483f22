//! Requests made from their description, for tests: every array has one element, every string one letter.

use super::{Field, Part};

/// A request as it is framed, without the length.
pub fn request(key: i16, version: i16, fields: &[Field], flexible: bool) -> Vec<u8> {
    let mut bytes = [key.to_be_bytes(), version.to_be_bytes(), [0, 0], [0, 7]].concat();
    bytes.extend([0, 1, b'c']);
    let writer = Writer { version, flexible };
    writer.tags(&mut bytes);
    writer.structure(fields, &mut bytes);
    bytes
}

struct Writer {
    version: i16,
    flexible: bool,
}

impl Writer {
    fn tags(&self, bytes: &mut Vec<u8>) {
        if self.flexible {
            bytes.push(0);
        }
    }

    fn structure(&self, fields: &[Field], bytes: &mut Vec<u8>) {
        for field in fields {
            if (field.first..=field.last).contains(&self.version) {
                self.part(&field.part, bytes);
            }
        }
        self.tags(bytes);
    }

    fn part(&self, part: &Part, bytes: &mut Vec<u8>) {
        let one = |short: &[u8]| if self.flexible { vec![2] } else { short.to_vec() };
        match part {
            Part::Fixed(size) => bytes.resize(bytes.len() + size, 0),
            Part::Text => bytes.extend([one(&[0, 1]), vec![b't']].concat()),
            Part::Blob => bytes.extend([one(&[0, 0, 0, 1]), vec![0]].concat()),
            Part::Values(value) => {
                bytes.extend(one(&[0, 0, 0, 1]));
                self.part(value, bytes);
            }
            Part::Structs(fields) => {
                bytes.extend(one(&[0, 0, 0, 1]));
                self.structure(fields, bytes);
            }
        }
    }
}

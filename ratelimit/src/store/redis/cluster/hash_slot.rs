//! Hash slots, the parts that Redis Cluster divides all keys into.
//!
//! See "Key distribution model" and "Hash tags" in the
//! [specification](https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/).

/// One of the 16,384 hash slots of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct HashSlot(u16);

impl HashSlot {
    /// How many slots a cluster has.
    pub(super) const COUNT: u16 = 16_384;

    /// Returns the slot of this number, unless it is too large.
    pub(super) fn new(number: u16) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    /// Returns the slot of a key: that of the hash tag in it, if it has one.
    pub(in super::super) fn of(key: &[u8]) -> Self {
        Self(crc16(hash_tag(key).unwrap_or(key)) % Self::COUNT)
    }

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Returns what is between the first `{` and the first `}` after it, if that is not empty.
fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let begin = key.iter().position(|&byte| byte == b'{')? + 1;
    let length = key[begin..].iter().position(|&byte| byte == b'}')?;
    (length > 0).then(|| &key[begin..begin + length])
}

/// CRC16 of the variant XMODEM: polynomial 0x1021, initial value 0, nothing reflected.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        let [high, _] = crc.to_be_bytes();
        (crc << 8) ^ TABLE[usize::from(high ^ byte)]
    })
}

const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u16;
    while byte < 256 {
        let mut crc = byte << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(crc16(b""), 0);
    }

    #[test]
    fn a_key_has_the_slot_of_its_hash_tag() {
        let slot = |key: &str| HashSlot::of(key.as_bytes());
        assert_eq!(slot("foo").index(), 12_182);
        assert_eq!(slot("{user1000}.following"), slot("{user1000}.followers"));
        assert_eq!(slot("{user1000}.following"), slot("user1000"));
        // The whole key is hashed, since there is nothing between the first braces.
        assert_ne!(slot("foo{}{bar}"), slot("bar"));
        assert_eq!(slot("foo{{bar}}zap"), slot("{bar"));
        assert_eq!(slot("foo{bar}{zap}"), slot("bar"));
        assert_ne!(slot("foo{bar"), slot("bar"));
        assert_eq!(slot("foo}{bar}"), slot("bar"));
    }

    #[test]
    fn a_number_beyond_the_last_slot_is_not_a_slot() {
        let last = HashSlot::COUNT - 1;
        assert_eq!(HashSlot::new(last), Some(HashSlot(last)));
        assert_eq!(HashSlot::new(HashSlot::COUNT), None);
    }
}

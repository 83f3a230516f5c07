// AssemblyScript: the Rabin fingerprint of restic's chunker over shared memory.
// Memory: [1024, 3072) the table "out", [3072, 5120) the table "mod", 256 u64 each; data from 64 KiB up.
const OUT: usize = 1024;
const MOD: usize = 3072;
const SHIFT: u64 = 45; // degree 53 - 8
const MASK: u64 = (1 << 20) - 1;
const WINDOW: usize = 64;
const LANE_MAX: usize = 8192;

// @ts-ignore: decorator of AssemblyScript
@inline
function enter(digest: u64, byte: u64): u64 {
  return ((digest << 8) | byte) ^ load<u64>(MOD + (<usize>(digest >> SHIFT) << 3));
}

// @ts-ignore: decorator of AssemblyScript
@inline
function slide(digest: u64, at: usize): u64 {
  return enter(digest ^ load<u64>(OUT + (<usize>load<u8>(at - WINDOW) << 3)), <u64>load<u8>(at));
}

/** Digest of the 64 bytes that end just before `at`. */
function prime(at: usize): u64 {
  let digest: u64 = 0;
  for (let i: usize = WINDOW; i > 0; i--) digest = enter(digest, <u64>load<u8>(at - i));
  return digest;
}

function scanOne(from: usize, to: usize): usize {
  let digest = prime(from);
  for (let p = from; p < to; p++) {
    digest = slide(digest, p);
    if ((digest & MASK) == 0) return p + 1;
  }
  return 0;
}

/**
 * The first address q in (from, to] such that the 64 bytes ending just before q have a fingerprint whose low
 * 20 bits are zero, or 0. Needs 64 readable bytes before `from`. Four lanes run at once: the fingerprint
 * depends on the last 64 bytes only, and one lane alone waits for its own table loads.
 */
export function scan(from: usize, to: usize): usize {
  let begin = from;
  while (to - begin >= 1024) {
    const quarter = (to - begin) >> 2;
    const lane = quarter < LANE_MAX ? quarter : LANE_MAX;
    let d0 = prime(begin);
    let d1 = prime(begin + lane);
    let d2 = prime(begin + 2 * lane);
    let d3 = prime(begin + 3 * lane);
    let f1: usize = 0;
    let f2: usize = 0;
    let f3: usize = 0;
    const end = begin + lane;
    for (let p = begin; p < end; p++) {
      d0 = slide(d0, p);
      d1 = slide(d1, p + lane);
      d2 = slide(d2, p + 2 * lane);
      d3 = slide(d3, p + 3 * lane);
      if ((d0 & MASK) == 0) return p + 1;
      if ((d1 & MASK) == 0 && f1 == 0) f1 = p + lane + 1;
      if ((d2 & MASK) == 0 && f2 == 0) f2 = p + 2 * lane + 1;
      if ((d3 & MASK) == 0 && f3 == 0) f3 = p + 3 * lane + 1;
    }
    if (f1) return f1;
    if (f2) return f2;
    if (f3) return f3;
    begin += 4 * lane;
  }
  return begin < to ? scanOne(begin, to) : 0;
}

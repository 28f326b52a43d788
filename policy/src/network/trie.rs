//! A path- and level-compressed trie over prefixes: the shape behind [`CidrSet`](super::CidrSet).
//!
//! Every node names the bits that lead to it, so a run of bits without a choice costs nothing ("path compression"). A
//! branch has 2^n children side by side, n as large as at least a quarter of them would differ ("level compression"),
//! so a large set grows wide and not deep: evenly spread prefixes take two or three steps, whether ten or ten thousand.
//! After Nilsson and Karlsson, "IP-address lookup using LC-tries" (1999). The trie only answers yes or no; which prefix
//! matched is not kept.

use std::ops::{BitAnd, BitXor, Shr};

/// At least one in so many children of a branch differs from the others: wide branches are fast, this bounds their cost.
const SPARSENESS: usize = 4;
/// The widest branch, in bits.
const MAX_STRIDE: u8 = 16;

/// An address as a number: `u32` for IPv4, `u128` for IPv6.
pub(super) trait Bits:
    Copy + Ord + BitAnd<Output = Self> + BitXor<Output = Self> + Shr<u8, Output = Self>
{
    const WIDTH: u8;
    const ZERO: Self;
    const ONES: Self;

    /// The first `length` bits set.
    fn mask(length: u8) -> Self;
    fn leading_zeros(self) -> u8;
    /// The low bits, as many as fit.
    fn low(self) -> usize;
}

macro_rules! bits {
    ($($number:ty),*) => {$(
        impl Bits for $number {
            const WIDTH: u8 = <$number>::BITS as u8;
            const ZERO: Self = 0;
            const ONES: Self = <$number>::MAX;

            fn mask(length: u8) -> Self {
                Self::MAX.checked_shl(u32::from(Self::WIDTH.saturating_sub(length))).unwrap_or(0)
            }

            fn leading_zeros(self) -> u8 {
                <$number>::leading_zeros(self) as u8
            }

            fn low(self) -> usize {
                self as usize
            }
        }
    )*};
}

bits!(u32, u128);

/// The first `length` bits of `start`; the others are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Prefix<B> {
    start: B,
    length: u8,
}

impl<B: Bits> Prefix<B> {
    pub(super) fn new(address: B, length: u8) -> Self {
        let length = length.min(B::WIDTH);
        Self { start: address & B::mask(length), length }
    }

    fn holds(self, other: Self) -> bool {
        self.length <= other.length && other.start & B::mask(self.length) == self.start
    }

    /// Which child of a branch over `stride` bits after `depth` this prefix falls into (the first, if it spans several).
    fn slot(self, depth: u8, stride: u8) -> usize {
        field(self.start, B::WIDTH - depth - stride, stride)
    }

    /// How many children of that branch this prefix spans.
    fn span(self, depth: u8, stride: u8) -> usize {
        1 << (depth + stride).saturating_sub(self.length)
    }
}

/// The set of all addresses under some prefixes.
#[derive(Debug, Clone)]
pub(super) struct Trie<B> {
    root: Node<B>,
    nodes: Box<[Node<B>]>,
    len: usize,
}

impl<B: Bits> Trie<B> {
    pub(super) fn new(prefixes: Vec<Prefix<B>>) -> Self {
        let prefixes = outermost(prefixes);
        let mut nodes = Vec::new();
        let root = grow(&prefixes, &mut nodes);
        Self { root, nodes: nodes.into_boxed_slice(), len: prefixes.len() }
    }

    #[inline]
    pub(super) fn contains(&self, address: B) -> bool {
        let mut node = &self.root;
        while node.leads_to(address) {
            if node.stride == 0 {
                return true;
            }
            let Some(child) = self.nodes.get(node.child(address)) else { return false };
            node = child;
        }
        false
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val::<[Node<B>]>(&self.nodes)
    }
}

impl<B: Bits> Default for Trie<B> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

/// A leaf (`stride` 0) says yes to every address on its path; a branch passes it on to one of 2^`stride` children.
#[derive(Debug, Clone, Copy)]
struct Node<B> {
    path: B,
    mask: B,
    children: u32,
    shift: u8,
    stride: u8,
}

impl<B: Bits> Node<B> {
    /// Leads to no address: no masked bit can equal a set one.
    const NOTHING: Self = Self { path: B::ONES, mask: B::ZERO, children: 0, shift: 0, stride: 0 };

    fn leaf(prefix: Prefix<B>) -> Self {
        Self { path: prefix.start, mask: B::mask(prefix.length), ..Self::NOTHING }
    }

    #[inline]
    fn leads_to(&self, address: B) -> bool {
        address & self.mask == self.path
    }

    #[inline]
    fn child(&self, address: B) -> usize {
        self.children as usize + field(address, self.shift, self.stride)
    }
}

/// The `stride` bits of `address` above the lowest `shift`.
#[inline]
fn field<B: Bits>(address: B, shift: u8, stride: u8) -> usize {
    (address >> shift).low() & ((1 << stride) - 1)
}

/// Sorted, without duplicates and without prefixes inside others: no two of them share an address.
fn outermost<B: Bits>(mut prefixes: Vec<Prefix<B>>) -> Vec<Prefix<B>> {
    prefixes.sort_unstable();
    // A prefix sorts right before what it holds, so the last one kept is the only one that can hold the next.
    prefixes.dedup_by(|next, kept| kept.holds(*next));
    prefixes
}

fn grow<B: Bits>(prefixes: &[Prefix<B>], nodes: &mut Vec<Node<B>>) -> Node<B> {
    match prefixes {
        [] => Node::NOTHING,
        [only] => Node::leaf(*only),
        [first, .., last] => branch(prefixes, (first.start ^ last.start).leading_zeros(), nodes),
    }
}

/// A branch over prefixes whose first `depth` bits are the same, and the next one is not.
fn branch<B: Bits>(prefixes: &[Prefix<B>], depth: u8, nodes: &mut Vec<Node<B>>) -> Node<B> {
    let stride = stride(prefixes, depth);
    let children = nodes.len();
    nodes.resize(children + (1 << stride), Node::NOTHING);
    for (first, group) in groups(prefixes, depth, stride) {
        let child = grow(group, nodes);
        let slots = children + first.slot(depth, stride)..;
        nodes.iter_mut().skip(slots.start).take(first.span(depth, stride)).for_each(|slot| *slot = child);
    }
    node_over(prefixes, depth, stride, children)
}

fn node_over<B: Bits>(prefixes: &[Prefix<B>], depth: u8, stride: u8, children: usize) -> Node<B> {
    let mask = B::mask(depth);
    let path = prefixes.first().map_or(B::ZERO, |first| first.start & mask);
    // Saturates past four billion nodes, a set of half a billion prefixes: their children are then not found.
    let children = u32::try_from(children).unwrap_or(u32::MAX);
    Node { path, mask, children, shift: B::WIDTH - depth - stride, stride }
}

/// The widest stride at which the branch is not too sparse.
fn stride<B: Bits>(prefixes: &[Prefix<B>], depth: u8) -> u8 {
    let dense = |stride: &u8| groups(prefixes, depth, *stride).count() * SPARSENESS >= 1 << stride;
    (1..=MAX_STRIDE.min(B::WIDTH - depth)).take_while(dense).last().unwrap_or(1)
}

/// The prefixes under each child, with the first of them. A prefix that spans children is alone in its group.
fn groups<B: Bits>(
    prefixes: &[Prefix<B>],
    depth: u8,
    stride: u8,
) -> impl Iterator<Item = (Prefix<B>, &[Prefix<B>])> + '_ {
    prefixes
        .chunk_by(move |one, next| one.slot(depth, stride) == next.slot(depth, stride))
        .filter_map(|group| Some((*group.first()?, group)))
}

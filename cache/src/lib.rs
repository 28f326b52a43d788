//! What may be stored, for how long, under which key, in which tier.

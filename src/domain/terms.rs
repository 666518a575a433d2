//! Terms: the rules of a family as dated data.

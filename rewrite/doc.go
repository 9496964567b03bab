// Package rewrite changes ranges of bytes in files and nothing else.
//
// What does it know of a file? Its bytes. An [Edit] is a range of the old
// content with the text that goes there; nothing is parsed and printed again,
// so that comments, quotes, indentation, line endings, a byte-order mark or a
// missing last newline cannot get lost.
//
// What if edits contradict each other? Every function that takes edits checks
// them as a whole first, and on an error does nothing: an invalid edit is a
// mistake of whoever made it, not a state of the file.
//
// How are changes shown? [Diff] writes them as a patch for git apply and
// patch -p1. It needs no search for differences: the edits are the differences.
//
// What can happen to a file on disk? [WriteFile] puts the new content in place
// of the old in one step, if the file is still what was read. A reader, and a
// crash, see the old file or the new one.
package rewrite

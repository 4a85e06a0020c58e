// The encoding of a Python source file (PEP 263) and the one form that the scanner reads.
#pragma once

#include <string>
#include <string_view>

namespace re::project {

/// A source as UTF-8 with '\n' newlines.
struct SourceText {
  std::string_view text;  ///< of the bytes given, where nothing had to change; else of `storage`
  std::string storage;
  std::string problem;  ///< why Python would refuse the encoding; then `text` is empty

  SourceText() = default;
  SourceText(const SourceText&) = delete;  // text may point into storage
  SourceText& operator=(const SourceText&) = delete;
};

/// The name in the magic comment of the first two lines, as it is written; empty when there is none.
std::string_view declared_encoding(std::string_view source);

/// Drops a byte order mark, decodes, and turns "\r\n" and '\r' into '\n' as CPython's tokenizer does.
/// \param result an empty one; it may refer to `source` afterwards
void decode_source(std::string_view source, SourceText& result);

}  // namespace re::project

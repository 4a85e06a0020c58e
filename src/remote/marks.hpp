// Finds the marks of a script's answer in a byte stream.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "re/remote/host.hpp"

namespace re::remote {

/// Drops what comes before "\036RE1 <nonce> BEGIN\n", passes what follows, stops at "\036RE1 <nonce> END
/// <code> <trailer>\n". The marks begin with a byte that text does not have (RS): a possible beginning of a
/// mark at the end of the data is held back until more has come, and no line must wait for that with its
/// newline.
class MarkScanner {
 public:
  explicit MarkScanner(std::string_view nonce);
  /// Takes bytes, returns those of the payload that are certain.
  std::string feed(std::string_view data);
  /// The stream has ended: what was held back is payload.
  std::string flush();
  [[nodiscard]] bool has_begun() const { return m_has_begun; }
  [[nodiscard]] const std::optional<Outcome>& outcome() const { return m_outcome; }
  /// How much was dropped before the first mark, in bytes.
  [[nodiscard]] std::size_t noise() const { return m_noise; }

 private:
  void skip_noise();
  std::string take_payload();
  void take_end(std::size_t at);

  std::string m_begin;
  std::string m_end;
  std::string m_held;
  std::size_t m_noise = 0;
  bool m_has_begun = false;
  std::optional<Outcome> m_outcome;
};

}  // namespace re::remote

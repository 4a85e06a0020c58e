// What --json prints.
#pragma once

#include <concepts>
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace re::cli {

/// Indented, with a newline at its end. Bytes that are not UTF-8 (names and logs may hold any) become U+FFFD.
std::string to_text(const nlohmann::json& json);

/// Appends the text that to_text() makes, value by value, where the values together would take much memory.
/// In an object the keys are to come in their order.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& text) : m_text(text) {}

  void begin_object() { begin('{'); }
  void end_object() { end('}'); }
  void begin_array() { begin('['); }
  void end_array() { end(']'); }
  /// \param name  needs no escape
  void key(std::string_view name);

  void value(std::string_view text);
  void value(std::integral auto number) { put(std::to_string(number)); }
  void value(double number);
  template <class T>
  void value(const std::optional<T>& maybe) {
    if (maybe)
      value(*maybe);
    else
      put("null");
  }
  void member(std::string_view name, const auto& what) {
    key(name);
    value(what);
  }

 private:
  void begin(char bracket);
  void end(char bracket);
  void put(std::string_view token);
  void go_to_next();

  std::string& m_text;
  std::size_t m_depth = 0;
  bool m_is_empty = true;  ///< nothing yet in the innermost object or array
  bool m_is_after_key = false;
};

}  // namespace re::cli

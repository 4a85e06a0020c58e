#include "cli/json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace re::cli {

namespace {

constexpr int k_indent = 2;

bool is_plain(char letter) {
  return letter >= ' ' && letter <= '~' && letter != '"' && letter != '\\';
}

std::string dump(const nlohmann::json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string to_text(const nlohmann::json& json) {
  return dump(json, k_indent) + "\n";
}

void JsonWriter::go_to_next() {
  if (std::exchange(m_is_after_key, false) || m_depth == 0) return;
  m_text += m_is_empty ? "\n" : ",\n";
  m_text.append(m_depth * k_indent, ' ');
  m_is_empty = false;
}

void JsonWriter::put(std::string_view token) {
  go_to_next();
  m_text += token;
}

void JsonWriter::begin(char bracket) {
  put({&bracket, 1});
  ++m_depth;
  m_is_empty = true;
}

void JsonWriter::end(char bracket) {
  --m_depth;
  if (!std::exchange(m_is_empty, false)) m_text.append("\n").append(m_depth * k_indent, ' ');
  m_text += bracket;
  if (m_depth == 0) m_text += '\n';
}

void JsonWriter::key(std::string_view name) {
  go_to_next();
  m_text.append("\"").append(name).append("\": ");
  m_is_after_key = true;
}

void JsonWriter::value(std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), is_plain)) return put(dump(text, -1));
  go_to_next();
  m_text.append("\"").append(text).append("\"");
}

void JsonWriter::value(double number) {
  put(dump(number, -1));
}

}  // namespace re::cli

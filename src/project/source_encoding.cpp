#include "project/source_encoding.hpp"

#include <iconv.h>

#include <algorithm>
#include <array>

#include "project/byte_search.hpp"
#include "re/base/strings.hpp"

namespace re::project {

namespace {

constexpr std::string_view k_bom = "\xef\xbb\xbf";

bool is_name_byte(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
         byte == '-' || byte == '_' || byte == '.';
}

// PEP 263: ^[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)
std::string_view encoding_in_comment(std::string_view line) {
  static constexpr std::string_view k_key = "coding";
  for (auto at = line.find(k_key); at != std::string_view::npos; at = line.find(k_key, at + 1)) {
    auto rest = line.substr(at + k_key.size());
    if (rest.empty() || (rest.front() != ':' && rest.front() != '=')) continue;
    rest.remove_prefix(1);
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
    const auto end = std::find_if_not(rest.begin(), rest.end(), is_name_byte);
    if (end != rest.begin()) return rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
  }
  return {};
}

// As CPython's get_normal_name (Parser/tokenizer.c), further to what iconv calls it.
std::string iconv_name(std::string_view name) {
  std::string plain = replace_all(to_lower(name), "_", "-");
  const auto is = [&](std::string_view family) {
    return plain == family || plain.starts_with(std::string(family) + "-");
  };
  if (is("utf-8") || plain == "utf8" || plain == "u8") return "utf-8";
  if (is("latin-1") || is("iso-8859-1") || is("iso-latin-1") || plain == "latin1" || plain == "l1")
    return "iso-8859-1";
  if (plain == "shift-jis" || plain == "sjis") return "shift_jis";
  if (plain == "ascii" || plain == "us-ascii") return "us-ascii";
  return plain;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80U; });
}

// Encodings that may give ASCII bytes another meaning.
bool is_stateful(std::string_view name) {
  return name.starts_with("utf-7") || name == "utf7" || name.starts_with("iso-2022") ||
         name.starts_with("hz");
}

class Converter {
 public:
  explicit Converter(const std::string& from) : m_handle(::iconv_open("UTF-8", from.c_str())) {}
  ~Converter() {
    if (is_open()) ::iconv_close(m_handle);
  }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;
  // iconv's own spelling of failure is the pointer -1.
  [[nodiscard]] bool is_open() const {
    return m_handle != reinterpret_cast<iconv_t>(-1);  // NOLINT(performance-no-int-to-ptr)
  }

  bool convert(std::string_view source, std::string& result) {
    std::array<char, 8192> buffer;
    char* input = const_cast<char*>(source.data());
    std::size_t left = source.size();
    while (left > 0) {
      char* output = buffer.data();
      std::size_t room = buffer.size();
      const std::size_t before = left;
      ::iconv(m_handle, &input, &left, &output, &room);
      result.append(buffer.data(), buffer.size() - room);
      if (left == before && room == buffer.size()) return false;
    }
    return true;
  }

 private:
  iconv_t m_handle;
};

void normalise_newlines(SourceText& result) {
  const std::string_view text = result.text;
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\r') {
      plain += text[at];
      continue;
    }
    plain += '\n';
    if (at + 1 < text.size() && text[at + 1] == '\n') ++at;
  }
  result.storage = std::move(plain);
  result.text = result.storage;
}

}  // namespace

std::string_view declared_encoding(std::string_view source) {
  for (int line_number = 0; line_number < 2; ++line_number) {
    const auto end = find_any<'\r', '\n'>(source, 0);
    const auto line = source.substr(0, end);
    const auto first = line.find_first_not_of(" \t\f");
    if (first != std::string_view::npos) {
      if (line[first] != '#') return {};
      const auto name = encoding_in_comment(line);
      if (!name.empty()) return name;
    }
    if (end == source.size()) return {};
    source.remove_prefix(source.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
  return {};
}

void decode_source(std::string_view source, SourceText& result) {
  const bool marked = source.starts_with(k_bom);
  if (marked) source.remove_prefix(k_bom.size());
  result.text = source;
  const auto declared = declared_encoding(source);
  if (!declared.empty()) {
    const std::string name = iconv_name(declared);
    if (name.starts_with("utf-16") || name.starts_with("utf-32") || (marked && name != "utf-8")) {
      result.text = {};
      result.problem = "encoding problem: " + std::string(declared);
      return;
    }
    if (name != "utf-8" && (is_stateful(name) || !is_ascii(source))) {
      Converter converter(name);
      if (!converter.is_open() || !converter.convert(source, result.storage)) {
        result.text = {};
        result.problem = (converter.is_open() ? "not in the declared encoding: " : "unknown encoding: ") +
                         std::string(declared);
        return;
      }
      result.text = result.storage;
    }
  }
  if (result.text.find('\r') != std::string_view::npos) normalise_newlines(result);
}

}  // namespace re::project

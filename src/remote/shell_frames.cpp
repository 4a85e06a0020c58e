#include "remote/shell_frames.hpp"

#include <cstdint>

#include "re/base/error.hpp"

namespace re::remote {

namespace {

constexpr char k_version = 1;
constexpr char k_request = 1;
constexpr char k_exit = 2;
constexpr std::size_t k_number_size = 4;
constexpr std::uint32_t k_exit_limit = 255;

Error malformed(const char* why) {
  return {ErrorKind::protocol, std::string("a remote shell frame is malformed: ") + why};
}

void append_number(std::string& text, std::size_t number) {
  for (const unsigned shift : {24U, 16U, 8U, 0U}) text += static_cast<char>((number >> shift) & 0xffU);
}

std::uint32_t read_number(std::string_view bytes) {
  std::uint32_t number = 0;
  for (const char byte : bytes.substr(0, k_number_size)) {
    number = (number << 8U) | static_cast<unsigned char>(byte);
  }
  return number;
}

std::string frame(char type, std::string_view body) {
  std::string text;
  append_number(text, body.size() + 2);
  text += k_version;
  text += type;
  text += body;
  return text;
}

class Reader {
 public:
  Reader(std::string_view payload, char type) : m_rest(payload) {
    const std::string_view head = take(2);
    if (head[0] != k_version) throw malformed("its version is not ours");
    if (head[1] != type) throw malformed("its type is another");
  }

  std::string_view take(std::size_t size) {
    if (size > m_rest.size()) throw malformed("it is cut short");
    const auto bytes = m_rest.substr(0, size);
    m_rest.remove_prefix(size);
    return bytes;
  }

  std::uint32_t number() { return read_number(take(k_number_size)); }

  void finish() const {
    if (!m_rest.empty()) throw malformed("it is too long");
  }

 private:
  std::string_view m_rest;
};

}  // namespace

std::string encode_request(std::span<const std::string> words) {
  std::string body;
  append_number(body, words.size());
  for (const auto& word : words) {
    append_number(body, word.size());
    body += word;
  }
  if (words.size() > k_frame_words_limit || body.size() + 2 > k_frame_limit) {
    throw Error(ErrorKind::usage, "a remote shell command is too long");
  }
  return frame(k_request, body);
}

std::string encode_exit(int code) {
  std::string body;
  append_number(body, static_cast<std::size_t>(code));
  return frame(k_exit, body);
}

std::vector<std::string> parse_request(std::string_view payload) {
  Reader reader(payload, k_request);
  const std::uint32_t count = reader.number();
  if (count > k_frame_words_limit) throw malformed("it has too many words");
  std::vector<std::string> words;
  for (std::uint32_t index = 0; index < count; ++index) {
    const std::uint32_t size = reader.number();
    words.emplace_back(reader.take(size));
    if (words.back().find('\0') != std::string::npos) throw malformed("a word holds a NUL");
  }
  reader.finish();
  return words;
}

int parse_exit(std::string_view payload) {
  Reader reader(payload, k_exit);
  const std::uint32_t code = reader.number();
  reader.finish();
  if (code > k_exit_limit) throw malformed("an exit code is out of range");
  return static_cast<int>(code);
}

std::optional<std::string> FrameBuffer::next() {
  if (m_data.size() < k_number_size) return std::nullopt;
  const std::size_t size = read_number(m_data);
  if (size > k_frame_limit) throw malformed("it is too long");
  if (m_data.size() < k_number_size + size) return std::nullopt;
  std::string payload = m_data.substr(k_number_size, size);
  m_data.erase(0, k_number_size + size);
  return payload;
}

}  // namespace re::remote

// What is written value by value is what the library makes of the whole.
#include "cli/json.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>

namespace re::cli {
namespace {

using nlohmann::json;

class Tree {
 public:
  explicit Tree(unsigned seed) : m_generator(seed) {}

  json make(int depth) {
    switch (m_generator() % (depth > 0 ? 8 : 6)) {
      case 0:
        return nullptr;
      case 1:
        return text();
      case 2:
        return "plain";
      case 3:
        return static_cast<std::int64_t>(m_generator()) - (1LL << 31);
      case 4:
        return std::ldexp(static_cast<double>(m_generator()), static_cast<int>(m_generator() % 80) - 60);
      case 5:
        return static_cast<double>(m_generator() % 100);
      case 6: {
        json list = json::array();
        for (auto count = m_generator() % 4; count > 0; --count) list.push_back(make(depth - 1));
        return list;
      }
      default: {
        json object = json::object();
        for (auto count = m_generator() % 4; count > 0; --count)
          object["key " + std::to_string(m_generator() % 100)] = make(depth - 1);
        return object;
      }
    }
  }

 private:
  // Any bytes: quotes, controls, parts of UTF-8.
  std::string text() {
    static constexpr std::string_view k_letters = "ab \"\\/\n\t\x01\x1f\x7f\xc3\xa4\xe2\x82\xac\xff\x80";
    std::string made;
    for (auto size = m_generator() % 8; size > 0; --size) made += k_letters[m_generator() % k_letters.size()];
    return made;
  }

  std::mt19937 m_generator;
};

void write(JsonWriter& writer, const json& value) {
  if (value.is_object()) {
    writer.begin_object();
    for (const auto& [key, member] : value.items()) {
      writer.key(key);
      write(writer, member);
    }
    writer.end_object();
  } else if (value.is_array()) {
    writer.begin_array();
    for (const auto& element : value) write(writer, element);
    writer.end_array();
  } else if (value.is_string()) {
    writer.value(value.get_ref<const std::string&>());
  } else if (value.is_number_float()) {
    writer.value(value.get<double>());
  } else if (value.is_number()) {
    writer.value(value.get<std::int64_t>());
  } else {
    writer.value(std::optional<int>());
  }
}

TEST(JsonWriterTest, writes_what_the_library_makes_of_the_whole) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Tree tree(seed);
  for (int round = 0; round < 2000; ++round) {
    json value = json::array({tree.make(4), json::array(), json::object()});
    std::string text;
    JsonWriter writer(text);
    write(writer, value);
    ASSERT_EQ(text, to_text(value));
  }
}

}  // namespace
}  // namespace re::cli

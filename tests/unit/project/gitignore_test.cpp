#include "project/gitignore.hpp"

#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "re/base/strings.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "re/sys/paths.hpp"

namespace {

namespace fs = std::filesystem;
using re::project::IgnoreRules;
using re::project::PathKind;
using re::project::Verdict;

void write(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

Verdict match(std::string_view rules, std::string_view path, PathKind kind = PathKind::file) {
  return IgnoreRules(rules).match(path, kind);
}

TEST(IgnoreRules, a_pattern_without_a_slash_matches_at_every_depth) {
  EXPECT_EQ(match("*.o\n", "a/b/c.o"), Verdict::ignored);
  EXPECT_EQ(match("*.o\n", "a/b/c.ob"), Verdict::none);
}

TEST(IgnoreRules, classes_of_characters_hold_what_posix_says) {
  const std::vector<std::pair<std::string, int (*)(int)>> classes = {
      {"alnum", std::isalnum}, {"alpha", std::isalpha}, {"blank", std::isblank}, {"cntrl", std::iscntrl},
      {"digit", std::isdigit}, {"graph", std::isgraph}, {"lower", std::islower}, {"print", std::isprint},
      {"punct", std::ispunct}, {"space", std::isspace}, {"upper", std::isupper}, {"xdigit", std::isxdigit}};
  for (const auto& [name, holds] : classes) {
    const IgnoreRules rules("a[[:" + name + ":]]b");
    for (int byte = 1; byte < 128; ++byte) {
      const auto verdict = rules.match(std::string{'a', static_cast<char>(byte), 'b'}, PathKind::file);
      const bool is_ignored = byte != '/' && holds(byte) != 0;
      EXPECT_EQ(verdict, is_ignored ? Verdict::ignored : Verdict::none) << name << ' ' << byte;
    }
  }
}

TEST(IgnoreRules, a_pattern_with_a_slash_is_bound_to_its_directory) {
  EXPECT_EQ(match("/a.txt", "a.txt"), Verdict::ignored);
  EXPECT_EQ(match("/a.txt", "b/a.txt"), Verdict::none);
  EXPECT_EQ(match("b/a.txt", "c/b/a.txt"), Verdict::none);
}

TEST(IgnoreRules, the_last_match_wins_and_negation_keeps) {
  EXPECT_EQ(match("*.py\n!keep.py\n", "keep.py"), Verdict::kept);
  EXPECT_EQ(match("!keep.py\n*.py\n", "keep.py"), Verdict::ignored);
}

TEST(IgnoreRules, two_stars_stand_for_any_number_of_directories) {
  EXPECT_EQ(match("a/**/b", "a/b"), Verdict::ignored);
  EXPECT_EQ(match("a/**/b", "a/x/y/b"), Verdict::ignored);
  EXPECT_EQ(match("a/**", "a"), Verdict::none);
  EXPECT_EQ(match("**/x/y", "x/y"), Verdict::ignored);
  EXPECT_EQ(match("/?/**b", "a/x/b"), Verdict::none);
}

TEST(IgnoreRules, comments_escapes_and_trailing_blanks_are_read_as_git_does) {
  EXPECT_EQ(match("# x\n\\#y\n", "#y"), Verdict::ignored);
  EXPECT_EQ(match("\\!z", "!z"), Verdict::ignored);
  EXPECT_EQ(match("a  ", "a"), Verdict::ignored);
  EXPECT_EQ(match("a\\ ", "a "), Verdict::ignored);
  EXPECT_EQ(match("a\r\n", "a"), Verdict::ignored);
}

TEST(IgnoreRules, a_pattern_of_many_stars_costs_no_exponential_time) {
  std::string pattern;
  for (int i = 0; i < 60; ++i) pattern += "**/a*";
  EXPECT_EQ(match(pattern, std::string(2000, 'a')), Verdict::none);
}

// ---- against git check-ignore ----

class RandomText {
 public:
  explicit RandomText(unsigned seed) : m_engine(seed) {}
  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(m_engine);
  }
  std::string name() {
    static constexpr std::string_view k_bytes = "aabbcAB1. -_!#[]*?\\";
    std::string text;
    for (std::size_t length = 1 + below(3); text.size() < length;) text += k_bytes[below(k_bytes.size())];
    return text == "." || text == ".." ? "a" : text;
  }
  std::string pattern() {
    static const std::vector<std::string> k_pieces = {
        "a",     "b",           "c",   "A",       "1",          ".",    "*",    "**",
        "?",     "/",           "/",   "**/",     "/**",        "[ab]", "[!a]", "[^b-c]",
        "[]a]",  "[[:alpha:]]", "[a-", "\\a",     "\\*",        "\\ ",  " ",    "[[:digit:]b]",
        "!",     "#",           "\\",  "[a\\]b]", "[[:nope:]]", "-",    "_",    "/**/",
        "[A-Z]", "[--_]"};
    std::string text = below(5) == 0 ? "!" : "";
    for (std::size_t count = 1 + below(5); count > 0; --count) text += k_pieces[below(k_pieces.size())];
    return text;
  }
  std::string rules() {
    std::string text;
    for (std::size_t count = 1 + below(5); count > 0; --count)
      text += pattern() + (below(8) == 0 ? "\r\n" : "\n");
    return text;
  }

 private:
  std::mt19937 m_engine;
};

struct Tree {
  fs::path root;
  std::vector<std::string> paths;  // files and directories, relative
};

Tree make_tree(const fs::path& root, RandomText& random) {
  Tree tree{root, {}};
  std::vector<std::string> directories = {""};
  for (int count = 0; count < 40; ++count) {
    const std::string path = directories[random.below(directories.size())] + random.name();
    if (fs::exists(fs::symlink_status(root / path))) continue;
    tree.paths.push_back(path);
    if (random.below(3) != 0) {
      write(root / path, "x");
      continue;
    }
    fs::create_directory(root / path);
    directories.push_back(path + "/");
  }
  return tree;
}

using RulesByDirectory = std::vector<std::pair<std::string, IgnoreRules>>;  // outer ones first

// As file_set.cpp does it: from the top down, and nothing below an ignored directory is asked for.
bool is_ignored(const fs::path& root, const RulesByDirectory& rules, const std::string& path) {
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    const auto kind = fs::is_directory(root / part) ? PathKind::directory : PathKind::file;
    for (auto entry = rules.rbegin(); entry != rules.rend(); ++entry) {
      if (!part.starts_with(entry->first)) continue;
      const Verdict verdict = entry->second.match(std::string_view(part).substr(entry->first.size()), kind);
      if (verdict == Verdict::ignored) return true;
      if (verdict == Verdict::kept) break;
    }
    if (end == std::string::npos) return false;
  }
}

std::set<std::string> ask_git(const Tree& tree, const fs::path& scratch) {
  std::string input;
  for (const auto& path : tree.paths) input += path + '\0';
  write(scratch / "input", input);
  const auto answer = re::sys::run_captured(
      {"sh", "-c", "cd \"$1\" && exec git -c core.excludesFile= check-ignore --no-index -z --stdin <\"$2\"",
       "sh", tree.root, scratch / "input"});
  EXPECT_LE(answer.status.as_shell_code(), 1) << answer.error;
  std::set<std::string> ignored;
  for (const auto path : re::split(answer.output, '\0')) ignored.emplace(path);
  ignored.erase("");
  return ignored;
}

void compare_with_git(unsigned seed) {
  RandomText random(seed);
  const re::sys::TemporaryDirectory scratch("re-ignore");
  const fs::path root = scratch.path() / "tree";
  fs::create_directory(root);
  ASSERT_TRUE(re::sys::run_captured({"git", "init", "-q", root}).status.succeeded());
  const Tree tree = make_tree(root, random);
  RulesByDirectory rules;
  std::string shown;
  const auto place = [&](const std::string& directory) {
    const std::string text = random.rules();
    write(root / directory / ".gitignore", text);
    rules.emplace_back(directory, IgnoreRules(text));
    shown += "in '" + directory + "':\n" + text;
  };
  place("");
  for (const auto& path : tree.paths) {
    if (fs::is_directory(root / path) && random.below(3) == 0) place(path + "/");
  }
  const auto expected = ask_git(tree, scratch.path());
  for (const auto& path : tree.paths) {
    EXPECT_EQ(is_ignored(root, rules, path), expected.contains(path))
        << "seed " << seed << " path '" << path << "'\n"
        << shown;
  }
}

TEST(IgnoreRules, random_trees_and_patterns_are_judged_as_git_judges_them) {
  if (!re::sys::find_program("git", re::sys::process_environment())) GTEST_SKIP() << "no git";
  const unsigned seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  for (unsigned round = 0; round < 300 && !HasFailure(); ++round) compare_with_git(seed + round);
}

}  // namespace

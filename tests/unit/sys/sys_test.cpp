#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "re/base/error.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "re/sys/lock.hpp"
#include "re/sys/paths.hpp"
#include "re/sys/random.hpp"
#include "re/sys/secret.hpp"

namespace {

using namespace re::sys;
namespace fs = std::filesystem;

TEST(ChildTest, output_error_and_status_come_back) {
  const auto captured = run_captured({"sh", "-c", "echo out; echo err >&2; exit 7"});
  EXPECT_EQ(captured.output, "out\n");
  EXPECT_EQ(captured.error, "err\n");
  EXPECT_EQ(captured.status.code, 7);
}

TEST(ChildTest, arguments_arrive_as_they_are) {
  const auto captured = run_captured({"printf", "[%s]", "a b", "$HOME", "'\"\n", ""});
  EXPECT_EQ(captured.output, "[a b][$HOME]['\"\n][]");
}

TEST(ChildTest, a_missing_program_is_not_found) {
  try {
    run_captured({"no-such-program-xyz"});
    FAIL();
  } catch (const re::Error& error) {
    EXPECT_EQ(error.kind(), re::ErrorKind::not_found);
  }
}

TEST(ChildTest, a_signal_is_told_from_a_code) {
  SpawnOptions options;
  options.arguments = {"sleep", "1000"};
  Child child = Child::spawn(options);
  EXPECT_FALSE(child.poll().has_value());
  child.send_signal(SIGTERM);
  EXPECT_EQ(child.wait().signal, SIGTERM);
}

// Sockets of Asio, for one: they are made without close-on-exec.
// What a terminal's Ctrl-C does to a child that has just been forked.
bool g_raises = false;
int* g_heard = nullptr;  // in memory that both processes share

TEST(ChildTest, before_it_is_another_program_it_runs_no_handler_of_ours) {
  g_heard = static_cast<int*>(
      ::mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(g_heard, MAP_FAILED);
  ASSERT_EQ(::pthread_atfork(nullptr, nullptr,
                             [] {
                               if (g_raises) ::raise(SIGINT);
                             }),
            0);
  const auto before = ::signal(SIGINT, [](int) { ++*g_heard; });
  g_raises = true;
  SpawnOptions options;
  options.arguments = {"true"};
  Child child = Child::spawn(options);
  g_raises = false;
  EXPECT_EQ(child.wait().signal, SIGINT);
  EXPECT_EQ(*g_heard, 0);
  ::signal(SIGINT, before);
}

TEST(ChildTest, inherits_no_descriptor_that_it_was_not_given) {
  constexpr int k_stray = 77;
  constexpr int k_given = 78;
  const auto pipe = make_pipe();
  ASSERT_EQ(::dup2(pipe.read_end.get(), k_stray), k_stray);
  ASSERT_EQ(::dup2(pipe.read_end.get(), k_given), k_given);
  const Fd stray(k_stray);
  const Fd given(k_given);
  SpawnOptions options;
  options.arguments = {"sh", "-c", "[ -e /proc/self/fd/78 ] && [ ! -e /proc/self/fd/77 ]"};
  options.inherited = {k_given};
  Child child = Child::spawn(options);
  EXPECT_EQ(child.wait().code, 0);
}

TEST(ChildTest, is_awaited_without_blocking) {
  boost::asio::io_context io;
  SpawnOptions options;
  options.arguments = {"sh", "-c", "exit 3"};
  Child child = Child::spawn(options);
  auto status = boost::asio::co_spawn(io, child.wait_async(), boost::asio::use_future);
  io.run();
  EXPECT_EQ(status.get().code, 3);
}

TEST(SignalTest, names_and_numbers) {
  EXPECT_EQ(signal_name(SIGTERM), "SIGTERM");
  EXPECT_EQ(signal_number("TERM"), SIGTERM);
  EXPECT_EQ(signal_number("SIGKILL"), SIGKILL);
  EXPECT_EQ(signal_number("9"), 9);
  EXPECT_EQ(signal_number("NOPE"), std::nullopt);
}

TEST(ReadFileTest, a_pipe_or_a_device_is_no_file_and_the_empty_device_is_an_empty_one) {
  const TemporaryDirectory directory("re-test");
  const auto pipe = directory.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW(read_file(pipe), re::Error);
  EXPECT_THROW(read_file("/dev/zero"), re::Error);
  EXPECT_THROW(read_file(directory.path()), re::Error);
  EXPECT_EQ(read_file("/dev/null"), "");
}

TEST(File, files_of_any_size_are_read_whole_those_of_proc_too) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "file";
  for (const std::size_t size : {0U, 1U, 4094U, 4095U, 4096U, 70'000U}) {
    std::string text;
    while (text.size() < size) text += static_cast<char>('a' + text.size() % 23);
    write_file_atomic(path, text);
    EXPECT_EQ(read_file(path), text) << size;
    EXPECT_EQ(read_file(path, size), text) << size;
    EXPECT_EQ(read_beginning(path, 10), text.substr(0, 10)) << size;
    if (size > 0) {
      EXPECT_THROW(read_file(path, size - 1), re::Error) << size;
    }
  }
  EXPECT_NE(read_file("/proc/self/status").find("VmPeak"), std::string::npos);
  EXPECT_GT(read_file("/proc/self/smaps").size(), 8192U);
  EXPECT_EQ(read_beginning(directory.path() / "none", 10), "");
  EXPECT_EQ(read_file_if_exists(directory.path() / "none"), std::nullopt);
}

TEST(AtomicFileTest, nothing_is_seen_before_commit_and_all_after) {
  const TemporaryDirectory directory("re-test");
  const fs::path path = directory.path() / "file";
  write_file_atomic(path, "old");
  {
    AtomicFile file(path, 0640);
    file.write("new");
    EXPECT_EQ(read_file(path), "old");
  }
  EXPECT_EQ(read_file(path), "old");
  AtomicFile file(path, 0640);
  file.write("new");
  file.commit();
  EXPECT_EQ(read_file(path), "new");
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), {}), 1);
}

TEST(AtomicFileTest, a_symbolic_link_stays_one) {
  const TemporaryDirectory directory("re-test");
  write_file_atomic(directory.path() / "real", "old");
  fs::create_symlink("real", directory.path() / "link");
  write_file_atomic(directory.path() / "link", "new");
  EXPECT_TRUE(fs::is_symlink(directory.path() / "link"));
  EXPECT_EQ(read_file(directory.path() / "real"), "new");
}

TEST(AtomicFileTest, a_symbolic_link_is_replaced_where_it_leads_elsewhere) {
  const TemporaryDirectory directory("re-test");
  const auto file = directory.path() / "file";
  const auto link = directory.path() / "link";
  write_file_atomic(file, "old");
  fs::create_symlink("file", link);
  write_file_atomic(link, "new", 0644, Link::replace);
  EXPECT_EQ(read_file(file), "old");
  EXPECT_FALSE(fs::is_symlink(link));
  EXPECT_EQ(read_file(link), "new");
}

TEST(PrivateDirectoryTest, one_that_others_can_write_is_refused) {
  const TemporaryDirectory directory("re-test");
  const fs::path path = directory.path() / "a/b";
  ensure_private_directory(path);
  ensure_private_directory(path);
  ::chmod(path.c_str(), 0777);
  EXPECT_THROW(ensure_private_directory(path), re::Error);
  fs::create_symlink(directory.path(), directory.path() / "link");
  EXPECT_THROW(ensure_private_directory(directory.path() / "link"), re::Error);
}

TEST(FileLockTest, is_exclusive) {
  const TemporaryDirectory directory("re-test");
  const auto first = FileLock::attempt(directory.path() / "lock");
  EXPECT_TRUE(first.has_value());
  EXPECT_FALSE(FileLock::attempt(directory.path() / "lock").has_value());
}

TEST(PathsTest, follow_the_base_directory_standard) {
  const auto paths = user_paths([](std::string_view name) -> std::optional<std::string> {
    if (name == "HOME") return "/home/ann";
    if (name == "XDG_STATE_HOME") return "/state";
    if (name == "XDG_CACHE_HOME") return "relative";
    return std::nullopt;
  });
  EXPECT_EQ(paths.config, "/home/ann/.config/re");
  EXPECT_EQ(paths.state, "/state/re");
  EXPECT_EQ(paths.cache, "/home/ann/.cache/re");
}

TEST(SecretTest, holds_moves_and_ends_in_nul) {
  Secret secret("hunter2");
  const Secret moved = std::move(secret);
  EXPECT_EQ(moved.reveal(), "hunter2");
  EXPECT_EQ(*(moved.reveal().data() + moved.reveal().size()), '\0');
  EXPECT_TRUE(Secret().is_empty());
}

TEST(RandomTest, ids_differ) {
  const SystemClock clock;
  EXPECT_NE(make_job_id(clock), make_job_id(clock));
  EXPECT_EQ(random_hex(16).size(), 32U);
}

}  // namespace

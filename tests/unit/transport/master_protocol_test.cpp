// The frames between clients and the connection master: what one writes the other reads, and nothing else is
// read.
#include <gtest/gtest.h>

#include <random>

#include "transport/master_protocol.hpp"

namespace re::transport::master {
namespace {

ConnectRequest full_request() {
  ConnectRequest request;
  request.target.name = "gpu1";
  request.target.host = "gpu1.example";
  request.target.user = "ann";
  request.target.port = 2222;
  request.target.kind = Kind::openssh;
  request.target.unknown_host = UnknownHost::refuse;
  request.target.ssh_config = "/home/ann/config";
  request.target.agent_socket = "/run/agent";
  request.target.identity_files = {"/k1", "/k 2"};
  request.target.connect_timeout = std::chrono::milliseconds(1500);
  request.has_password = true;
  request.reuse = Reuse::none;
  request.answers = {{QuestionKind::password, "", "secret"}, {QuestionKind::confirm, "sure?", "yes"}};
  return request;
}

TEST(MasterProtocol, a_connect_request_is_read_as_it_was_written) {
  const auto written = full_request();
  const auto read = parse_connect(to_body(written));
  ASSERT_TRUE(read);
  EXPECT_EQ(to_body(*read), to_body(written));
  EXPECT_EQ(read->target.name, "gpu1");
  EXPECT_EQ(read->target.port, 2222);
  EXPECT_EQ(read->target.kind, Kind::openssh);
  EXPECT_EQ(read->target.identity_files, written.target.identity_files);
  EXPECT_EQ(read->target.connect_timeout, written.target.connect_timeout);
  EXPECT_EQ(read->answers.at(1).prompt, "sure?");
  const auto sparse = parse_connect(to_body(ConnectRequest{}));
  ASSERT_TRUE(sparse);
  EXPECT_EQ(sparse->target.port, std::nullopt);
  EXPECT_EQ(sparse->target.ssh_config, std::nullopt);
}

TEST(MasterProtocol, names_and_answers_make_no_other_connection_and_all_else_does) {
  const auto request = full_request();
  const std::string key = connection_key(request.target);
  auto other = request.target;
  other.name = "another name";
  EXPECT_EQ(connection_key(other), key);
  other = request.target;
  other.user = "bob";
  EXPECT_NE(connection_key(other), key);
  other = request.target;
  other.identity_files.pop_back();
  EXPECT_NE(connection_key(other), key);
  other = request.target;
  other.agent_socket.reset();
  EXPECT_NE(connection_key(other), key);
}

TEST(MasterProtocol, calls_answers_and_errors_are_read_as_they_were_written) {
  ExecCall exec{"key", {std::string(k_shell_command), PtyRequest{"vt100", {132, 50}}, "a=1\n"}};
  EXPECT_EQ(parse_exec(to_body(exec)).value().request.pty->size, (sys::WindowSize{132, 50}));
  exec.request.pty.reset();
  EXPECT_FALSE(parse_exec(to_body(exec)).value().request.pty);
  const auto forward = parse_forward(to_body(ForwardCall{"key", "::1", 8888})).value();
  EXPECT_EQ(forward.key, "key");
  EXPECT_EQ(forward.host, "::1");
  EXPECT_EQ(forward.port, 8888);
  EXPECT_EQ(parse_status(to_body(sys::ExitStatus{3, std::nullopt})).value().code, 3);
  EXPECT_EQ(parse_status(to_body(sys::ExitStatus{std::nullopt, 9})).value().signal, 9);
  EXPECT_EQ(parse_info(to_body(ConnectionInfo{"a@b", "ssh2", "key"})).value().destination, "a@b");
  EXPECT_EQ(parse_size(to_body(sys::WindowSize{80, 24})), (sys::WindowSize{80, 24}));
  const Question question{QuestionKind::password, "code?", "1", 2, true};
  const auto asked = parse_question(to_body(question)).value();
  EXPECT_EQ(to_body(asked), to_body(question));
  EXPECT_EQ(asked.standing, 2U);
  Error error(ErrorKind::auth, "refused", "try another");
  error.within("cannot reach gpu1");
  EXPECT_STREQ(parse_error(to_body(error)).value().what(), error.what());
  EXPECT_EQ(parse_error(to_body(error)).value().kind(), ErrorKind::auth);
}

TEST(MasterProtocol, frames_come_one_by_one_and_not_before_they_are_whole) {
  std::string stream = frame(Type::exec, "body") + frame(Type::stop);
  std::string received;
  std::vector<Frame> frames;
  for (const char byte : stream) {
    received.push_back(byte);
    while (auto next = take_frame(received)) frames.push_back(*next);
  }
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].body, "body");
  EXPECT_EQ(frames[1].type, Type::stop);
  EXPECT_TRUE(received.empty());
  std::string empty(4, '\0');
  EXPECT_THROW(take_frame(empty), Error);
  std::string huge = "\xff\xff\xff\xff";
  EXPECT_THROW(take_frame(huge), Error);
}

TEST(MasterProtocol, what_is_cut_or_followed_by_more_is_not_read) {
  const std::string body = to_body(full_request());
  for (std::size_t size = 0; size < body.size(); ++size)
    EXPECT_FALSE(parse_connect(body.substr(0, size))) << size;
  EXPECT_FALSE(parse_connect(body + "x"));
  const std::string forward = to_body(ForwardCall{"key", "localhost", 65535});
  for (std::size_t size = 0; size < forward.size(); ++size)
    EXPECT_FALSE(parse_forward(forward.substr(0, size))) << size;
  EXPECT_FALSE(parse_forward(forward + "x"));
  std::string beyond = forward;
  beyond[beyond.size() - 3] = '\1';  // port 131071
  EXPECT_FALSE(parse_forward(beyond));
}

TEST(MasterProtocol, random_bytes_are_read_or_refused) {
  const auto seed = std::random_device()();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const std::string valid = to_body(full_request());
  for (int trial = 0; trial < 20'000; ++trial) {
    std::string body = valid;
    for (int change = 0; change < 4; ++change) body[random() % body.size()] = static_cast<char>(random());
    const auto read = parse_connect(body);
    if (read) {
      EXPECT_TRUE(parse_connect(to_body(*read)));
    }
    parse_exec(body);
    parse_forward(body);
    parse_error(body);
    parse_status(body.substr(0, 8));
    parse_question(body);
  }
}

}  // namespace
}  // namespace re::transport::master

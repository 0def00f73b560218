/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A parser for the subset of YAML that configuration files use. */
#include "ctl/plan/yaml.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/common/manager.h"
#include "lib/util.h"

/* Limits of nesting and of members: no configuration needs more. */
#define DEPTH_MAX   16
#define MEMBERS_MAX 4096

struct line {
	unsigned int number;
	size_t indent;
	char *text; /* without indentation, comment and space at the end */
};

struct yaml {
	const char *name;
	struct line *lines;
	size_t count;
	size_t next; /* the one to be read */
	unsigned int depth;
	struct vgpu_err *err;
};

static int fail(struct yaml *yaml, unsigned int line, const char *what)
{
	return vgpu_err_set(yaml->err, -EINVAL, NULL, "%s:%u: %s", yaml->name,
			    line, what);
}

static int fail_json(struct yaml *yaml, unsigned int line, int r)
{
	return fail(yaml, line,
		    r == -ENOMEM ? "out of memory" : "it is not valid UTF-8");
}

/* Where the comment in @text begins, or its end. */
static char *find_comment(char *text)
{
	char quote = '\0';

	for (char *c = text; *c; c++) {
		if (quote == '"' && *c == '\\' && c[1])
			c++;
		else if (quote)
			quote = *c == quote ? '\0' : quote;
		else if (*c == '#' && (c == text || c[-1] == ' ' || c[-1] == '\t'))
			return c;
		/* Inside a word a quote is an ordinary character. */
		else if ((*c == '"' || *c == '\'') &&
			 (c == text || strchr(" \t[{,:-", c[-1])))
			quote = *c;
	}
	return text + strlen(text);
}

static int add_line(struct yaml *yaml, unsigned int number, char *text)
{
	struct line line = {.number = number};
	char *end;

	for (const char *c = text; *c; c++)
		if ((*c > 0 && *c < 0x20 && *c != '\t') || *c == 0x7f)
			return fail(yaml, number, "it has a control character");
	while (text[line.indent] == ' ')
		line.indent++;
	line.text = text + line.indent;
	end = find_comment(line.text);
	while (end > line.text && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	if (!line.text[0])
		return 0;
	if (line.text[0] == '\t')
		return fail(yaml, number, "tabs do not indent: use spaces");
	if (line.indent == 0 && strcmp(line.text, "---") == 0) {
		if (yaml->count > 0)
			return fail(yaml, number,
				    "a second document: there is one in a file");
		return 0;
	}
	if (line.indent == 0 &&
	    (line.text[0] == '%' || strcmp(line.text, "...") == 0 ||
	     strncmp(line.text, "--- ", 4) == 0))
		return fail(yaml, number,
			    "directives of YAML are not known here");
	yaml->lines[yaml->count++] = line;
	return 0;
}

static int split_lines(struct yaml *yaml, char *text)
{
	unsigned int number = 0;
	size_t n = 1;
	char *line;
	int r = 0;

	for (const char *c = text; *c; c++)
		n += *c == '\n';
	yaml->lines = calloc(n, sizeof(*yaml->lines));
	if (!yaml->lines)
		return vgpu_err_set(yaml->err, -ENOMEM, NULL, "out of memory");
	while (r == 0 && (line = strsep(&text, "\n"))) {
		size_t length = strlen(line);

		if (length > 0 && line[length - 1] == '\r')
			line[length - 1] = '\0';
		r = add_line(yaml, ++number, line);
	}
	return r;
}

/* A plain scalar: a number, true, false, null, or text. */
static int make_plain(const char *text, size_t length, sd_json_variant **ret)
{
	vgpu_autofree char *copy = strndup(text, length);
	size_t digits;

	if (!copy)
		return -ENOMEM;
	if (!copy[0] || strcmp(copy, "~") == 0 || strcmp(copy, "null") == 0)
		return sd_json_variant_new_null(ret);
	if (strcmp(copy, "true") == 0 || strcmp(copy, "false") == 0)
		return sd_json_variant_new_boolean(ret, copy[0] == 't');
	digits = strspn(copy, "0123456789");
	if (!copy[digits] && digits < 19 && (copy[0] != '0' || digits == 1))
		return sd_json_variant_new_unsigned(ret,
						    strtoull(copy, NULL, 10));
	return sd_json_variant_new_string(ret, copy);
}

/* Unquote @quoted, which begins with a quote. *ret_end points behind it. */
static int unquote(struct yaml *yaml, unsigned int line, char *quoted,
		   char **ret_text, char **ret_end)
{
	char quote = quoted[0], *in = quoted + 1, *out = quoted;

	for (;; in++) {
		if (!*in)
			return fail(yaml, line,
				    "a quote is not closed on its line");
		if (*in == quote && quote == '\'' && in[1] == '\'') {
			*out++ = *in++;
		} else if (*in == quote) {
			break;
		} else if (quote == '"' && *in == '\\') {
			in++;
			if (*in != '"' && *in != '\\' && *in != '/')
				return fail(
					yaml, line,
					"of escapes only \\\" \\\\ \\/ are known here");
			*out++ = *in;
		} else {
			*out++ = *in;
		}
	}
	*ret_end = in + 1;
	*out = '\0';
	*ret_text = quoted;
	return 0;
}

static bool is_indicator(char c)
{
	return c && strchr("&*!|>%@`", c);
}

static char *skip_space(char *text)
{
	return text + strspn(text, " \t");
}

static int parse_inline(struct yaml *yaml, unsigned int line, char **text,
			bool is_flow, sd_json_variant **ret);

static int set_member(struct yaml *yaml, unsigned int line,
		      sd_json_variant **object, const char *key,
		      sd_json_variant *value)
{
	int r;

	if (sd_json_variant_elements(*object) >= 2 * (size_t)MEMBERS_MAX)
		return fail(yaml, line, "more than 4096 keys");
	if (sd_json_variant_by_key(*object, key))
		return vgpu_err_set(yaml->err, -EINVAL, NULL,
				    "%s:%u: '%s' comes twice", yaml->name, line,
				    key);
	r = sd_json_variant_set_field(object, key, value);
	return r < 0 ? fail_json(yaml, line, r) : 0;
}

static int append(struct yaml *yaml, unsigned int line, sd_json_variant **array,
		  sd_json_variant *value)
{
	int r;

	if (sd_json_variant_elements(*array) >= MEMBERS_MAX)
		return fail(yaml, line, "more than 4096 items");
	r = sd_json_variant_append_array(array, value);
	return r < 0 ? fail_json(yaml, line, r) : 0;
}

/* Length up to the next character that ends a plain scalar. */
static size_t plain_length(const char *text, bool is_flow)
{
	size_t n;

	for (n = 0; text[n]; n++) {
		if (is_flow && strchr(",[]{}", text[n]))
			break;
		if (text[n] == ':' && (!text[n + 1] || text[n + 1] == ' ' ||
				       (is_flow && strchr(",]}", text[n + 1]))))
			break;
	}
	while (n > 0 && text[n - 1] == ' ')
		n--;
	return n;
}

/*
 * Parse a key at *text, and move *text behind the colon. *ret_key points into
 * the line.
 */
static int take_key(struct yaml *yaml, unsigned int line, char **text,
		    bool is_flow, char **ret_key)
{
	char *c = *text, *end = c;
	int r;

	if (c[0] == '"' || c[0] == '\'') {
		r = unquote(yaml, line, c, ret_key, &end);
		if (r < 0)
			return r;
	} else {
		if (is_indicator(c[0]) || c[0] == '?')
			return fail(
				yaml, line,
				"anchors, tags and the like are not known here");
		*ret_key = c;
		end = c + plain_length(c, is_flow);
	}
	c = skip_space(end);
	if (*c != ':' || end == *text)
		return fail(yaml, line, "a key and a colon are missing");
	*end = '\0';
	*text = skip_space(c + 1);
	return 0;
}

/*
 * After a member: parse ',' or the closing bracket. Returns 1 if there is
 * another member.
 */
static int take_comma(struct yaml *yaml, unsigned int line, char **text,
		      char close)
{
	*text = skip_space(*text);
	if (**text == close) {
		(*text)++;
		return 0;
	}
	if (**text != ',')
		return fail(yaml, line, "a bracket is not closed on its line");
	*text = skip_space(*text + 1);
	return 1;
}

static int parse_flow(struct yaml *yaml, unsigned int line, char **text,
		      sd_json_variant **ret)
{
	ctl_autojson sd_json_variant *all = NULL;
	bool is_object = **text == '{';
	char close = is_object ? '}' : ']';
	int r;

	if (++yaml->depth > DEPTH_MAX)
		return fail(yaml, line, "it nests too deep");
	r = is_object ? sd_json_variant_new_object(&all, NULL, 0)
		      : sd_json_variant_new_array(&all, NULL, 0);
	if (r < 0)
		return fail_json(yaml, line, r);
	*text = skip_space(*text + 1);
	r = **text != close;
	*text += !r;
	while (r > 0) {
		ctl_autojson sd_json_variant *one = NULL;
		char *key = NULL;

		r = is_object ? take_key(yaml, line, text, /* is_flow= */ true,
					 &key)
			      : 0;
		if (r == 0)
			r = parse_inline(yaml, line, text, /* is_flow= */ true,
					 &one);
		if (r == 0 && is_object) {
			r = set_member(yaml, line, &all, key, one);
		} else if (r == 0) {
			r = append(yaml, line, &all, one);
		}
		if (r >= 0)
			r = take_comma(yaml, line, text, close);
	}
	yaml->depth--;
	if (r == 0)
		*ret = vgpu_steal(&all);
	return r;
}

/* Parse a value on one line at *text, and move *text behind it. */
static int parse_inline(struct yaml *yaml, unsigned int line, char **text,
			bool is_flow, sd_json_variant **ret)
{
	char *c = *text, *string = NULL;
	size_t length;
	int r;

	if (*c == '[' || *c == '{')
		return parse_flow(yaml, line, text, ret);
	if (*c == '"' || *c == '\'') {
		r = unquote(yaml, line, c, &string, text);
		if (r < 0)
			return r;
		r = sd_json_variant_new_string(ret, string);
		return r < 0 ? fail_json(yaml, line, r) : 0;
	}
	if (is_indicator(*c) || strncmp(c, "? ", 2) == 0 ||
	    strncmp(c, "- ", 2) == 0)
		return fail(
			yaml, line,
			"anchors, tags, texts of several lines and the like are not known here");
	length = plain_length(c, is_flow);
	if (is_flow && length == 0)
		return fail(yaml, line, "a value is missing");
	r = make_plain(c, length, ret);
	*text = c + length;
	return r < 0 ? fail_json(yaml, line, r) : 0;
}

/* Parse a value that fills the rest of its line. */
static int parse_rest(struct yaml *yaml, unsigned int line, char *text,
		      sd_json_variant **ret)
{
	ctl_autojson sd_json_variant *value = NULL;
	int r;

	r = parse_inline(yaml, line, &text, /* is_flow= */ false, &value);
	if (r < 0)
		return r;
	if (*skip_space(text))
		return fail(yaml, line, "something follows the value");
	*ret = vgpu_steal(&value);
	return 0;
}

static bool is_item(const struct line *line)
{
	return line->text[0] == '-' && (!line->text[1] || line->text[1] == ' ');
}

/*
 * Length with both quotes, or to the end of the line if there is no closing
 * one.
 */
static size_t quoted_length(const char *text)
{
	char quote = text[0];
	size_t n = 1;

	while (text[n] &&
	       (text[n] != quote || (quote == '\'' && text[n + 1] == quote)))
		n += (text[n] == quote || (quote == '"' && text[n] == '\\')) &&
				     text[n + 1]
			     ? 2
			     : 1;
	return text[n] ? n + 1 : n;
}

static bool is_mapping(const struct line *line)
{
	const char *c = line->text;

	if (*c == '[' || *c == '{')
		return false;
	if (*c == '"' || *c == '\'')
		c += quoted_length(c);
	else
		c += plain_length(c, /* is_flow= */ false);
	return c[strspn(c, " ")] == ':';
}

static int parse_node(struct yaml *yaml, sd_json_variant **ret);

/*
 * Parse the lines that follow if they are indented more than @indent; else
 * null.
 */
static int parse_below(struct yaml *yaml, size_t indent, bool may_be_items,
		       sd_json_variant **ret)
{
	const struct line *line = &yaml->lines[yaml->next];

	if (yaml->next < yaml->count &&
	    (line->indent > indent ||
	     (may_be_items && line->indent == indent && is_item(line))))
		return parse_node(yaml, ret);
	return sd_json_variant_new_null(ret);
}

static int parse_items(struct yaml *yaml, size_t indent, sd_json_variant **ret)
{
	ctl_autojson sd_json_variant *all = NULL;
	int r;

	r = sd_json_variant_new_array(&all, NULL, 0);
	while (r >= 0 && yaml->next < yaml->count) {
		struct line *line = &yaml->lines[yaml->next];
		ctl_autojson sd_json_variant *one = NULL;
		char *rest = skip_space(line->text + 1);
		unsigned int number = line->number;

		if (line->indent != indent || !is_item(line))
			break;
		if (*rest) {
			/* Treat the rest as a line of its own. */
			line->indent += (size_t)(rest - line->text);
			line->text = rest;
			r = parse_node(yaml, &one);
		} else {
			yaml->next++;
			r = parse_below(yaml, indent, false, &one);
		}
		if (r >= 0)
			r = append(yaml, number, &all, one);
	}
	if (r >= 0)
		*ret = vgpu_steal(&all);
	return r;
}

static int parse_members(struct yaml *yaml, size_t indent, sd_json_variant **ret)
{
	ctl_autojson sd_json_variant *all = NULL;
	int r;

	r = sd_json_variant_new_object(&all, NULL, 0);
	while (r >= 0 && yaml->next < yaml->count) {
		const struct line *line = &yaml->lines[yaml->next];
		ctl_autojson sd_json_variant *one = NULL;
		char *text = line->text, *key = NULL;

		if (line->indent != indent || is_item(line))
			break;
		r = take_key(yaml, line->number, &text, false, &key);
		if (r < 0)
			return r;
		yaml->next++;
		if (*text)
			r = parse_rest(yaml, line->number, text, &one);
		else
			r = parse_below(yaml, indent, true, &one);
		if (r >= 0)
			r = set_member(yaml, line->number, &all, key, one);
	}
	if (r >= 0)
		*ret = vgpu_steal(&all);
	return r;
}

/* Parse the lines from the next one on that have its indentation. */
static int parse_node(struct yaml *yaml, sd_json_variant **ret)
{
	const struct line *line = &yaml->lines[yaml->next];
	size_t indent = line->indent;
	int r;

	assert(yaml->next < yaml->count);
	if (++yaml->depth > DEPTH_MAX)
		return fail(yaml, line->number, "it nests too deep");
	if (is_item(line)) {
		r = parse_items(yaml, indent, ret);
	} else if (is_mapping(line)) {
		r = parse_members(yaml, indent, ret);
	} else {
		yaml->next++;
		r = parse_rest(yaml, line->number, line->text, ret);
	}
	yaml->depth--;
	return r;
}

int ctl_yaml_parse(const char *name, char *text, sd_json_variant **ret,
		   struct vgpu_err *err)
{
	struct yaml yaml = {.name = name, .err = err};
	ctl_autojson sd_json_variant *value = NULL;
	int r;

	r = split_lines(&yaml, text);
	if (r == 0 && yaml.count == 0)
		r = vgpu_err_set(err, -EINVAL, NULL, "%s: it is empty", name);
	if (r == 0)
		r = parse_node(&yaml, &value);
	if (r == 0 && yaml.next < yaml.count)
		r = fail(&yaml, yaml.lines[yaml.next].number,
			 "it is indented like nothing before it");
	free(yaml.lines);
	if (r < 0) {
		if (err && !err->status)
			vgpu_err_set(err, r, NULL, "%s: out of memory", name);
		return r;
	}
	*ret = vgpu_steal(&value);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which key of a keyboard makes what a VNC client says was typed. */
#include "device/display/vnc/keys.h"

#include <assert.h>
#include <linux/input-event-codes.h>
#include <stddef.h>
#include <string.h>

#include <rfb/keysym.h>

#include "lib/util.h"

/* Rows of a US keyboard, each from the code of its first key on. */
static const struct {
	uint16_t first;
	const char *plain;
	const char *shifted;
} rows[] = {
	{KEY_1, "1234567890-=", "!@#$%^&*()_+"},
	{KEY_Q, "qwertyuiop[]", "QWERTYUIOP{}"},
	{KEY_A, "asdfghjkl;'`", "ASDFGHJKL:\"~"},
	{KEY_BACKSLASH, "\\zxcvbnm,./", "|ZXCVBNM<>?"},
};

static_assert(KEY_GRAVE == KEY_A + 11 && KEY_SLASH == KEY_BACKSLASH + 10,
	      "keys of a row");

/* Keys with one meaning each. */
static const struct {
	uint16_t keysym;
	uint16_t code;
} named[] = {
	{XK_BackSpace, KEY_BACKSPACE},
	{XK_Tab, KEY_TAB},
	{0xfe20, KEY_TAB}, /* with Shift (ISO_Left_Tab) */
	{XK_Return, KEY_ENTER},
	{XK_Linefeed, KEY_ENTER},
	{XK_Pause, KEY_PAUSE},
	{XK_Break, KEY_PAUSE},
	{XK_Scroll_Lock, KEY_SCROLLLOCK},
	{XK_Sys_Req, KEY_SYSRQ},
	{XK_Print, KEY_SYSRQ},
	{XK_Escape, KEY_ESC},
	{XK_Delete, KEY_DELETE},
	{XK_Home, KEY_HOME},
	{XK_Left, KEY_LEFT},
	{XK_Up, KEY_UP},
	{XK_Right, KEY_RIGHT},
	{XK_Down, KEY_DOWN},
	{XK_Page_Up, KEY_PAGEUP},
	{XK_Page_Down, KEY_PAGEDOWN},
	{XK_End, KEY_END},
	{XK_Insert, KEY_INSERT},
	{XK_Menu, KEY_COMPOSE},
	{XK_Num_Lock, KEY_NUMLOCK},
	{XK_KP_Enter, KEY_KPENTER},
	{XK_KP_Home, KEY_KP7},
	{XK_KP_Left, KEY_KP4},
	{XK_KP_Up, KEY_KP8},
	{XK_KP_Right, KEY_KP6},
	{XK_KP_Down, KEY_KP2},
	{XK_KP_Page_Up, KEY_KP9},
	{XK_KP_Page_Down, KEY_KP3},
	{XK_KP_End, KEY_KP1},
	{XK_KP_Begin, KEY_KP5},
	{XK_KP_Insert, KEY_KP0},
	{XK_KP_Delete, KEY_KPDOT},
	{XK_KP_Equal, KEY_KPEQUAL},
	{XK_KP_Multiply, KEY_KPASTERISK},
	{XK_KP_Add, KEY_KPPLUS},
	{XK_KP_Separator, KEY_KPCOMMA},
	{XK_KP_Subtract, KEY_KPMINUS},
	{XK_KP_Decimal, KEY_KPDOT},
	{XK_KP_Divide, KEY_KPSLASH},
	{XK_KP_0, KEY_KP0},
	{XK_KP_1, KEY_KP1},
	{XK_KP_2, KEY_KP2},
	{XK_KP_3, KEY_KP3},
	{XK_KP_4, KEY_KP4},
	{XK_KP_5, KEY_KP5},
	{XK_KP_6, KEY_KP6},
	{XK_KP_7, KEY_KP7},
	{XK_KP_8, KEY_KP8},
	{XK_KP_9, KEY_KP9},
	{XK_space, KEY_SPACE}, /* with Shift and without */
	{XK_F11, KEY_F11},
	{XK_F12, KEY_F12},
	{XK_Shift_L, KEY_LEFTSHIFT},
	{XK_Shift_R, KEY_RIGHTSHIFT},
	{XK_Control_L, KEY_LEFTCTRL},
	{XK_Control_R, KEY_RIGHTCTRL},
	{XK_Caps_Lock, KEY_CAPSLOCK},
	{XK_Meta_L, KEY_LEFTALT},
	{XK_Meta_R, KEY_RIGHTALT},
	{XK_Alt_L, KEY_LEFTALT},
	{XK_Alt_R, KEY_RIGHTALT},
	{VGPU_VNC_LEVEL3_SHIFT, KEY_RIGHTALT},
	{XK_Super_L, KEY_LEFTMETA},
	{XK_Super_R, KEY_RIGHTMETA},
	{XK_Hyper_L, KEY_LEFTMETA},
	{XK_Hyper_R, KEY_RIGHTMETA},
};

/* Those with the prefix 0xe0; others have the code of their number. */
static const struct {
	uint8_t number;
	uint8_t code;
} prefixed[] = {
	{0x10, KEY_PREVIOUSSONG}, {0x19, KEY_NEXTSONG}, {0x1c, KEY_KPENTER},
	{0x1d, KEY_RIGHTCTRL},	  {0x20, KEY_MUTE},	{0x21, KEY_CALC},
	{0x22, KEY_PLAYPAUSE},	  {0x24, KEY_STOPCD},	{0x2e, KEY_VOLUMEDOWN},
	{0x30, KEY_VOLUMEUP},	  {0x32, KEY_HOMEPAGE}, {0x35, KEY_KPSLASH},
	{0x37, KEY_SYSRQ},	  {0x38, KEY_RIGHTALT}, {0x46, KEY_PAUSE},
	{0x47, KEY_HOME},	  {0x48, KEY_UP},	{0x49, KEY_PAGEUP},
	{0x4b, KEY_LEFT},	  {0x4d, KEY_RIGHT},	{0x4f, KEY_END},
	{0x50, KEY_DOWN},	  {0x51, KEY_PAGEDOWN}, {0x52, KEY_INSERT},
	{0x53, KEY_DELETE},	  {0x5b, KEY_LEFTMETA}, {0x5c, KEY_RIGHTMETA},
	{0x5d, KEY_COMPOSE},	  {0x5e, KEY_POWER},	{0x5f, KEY_SLEEP},
	{0x63, KEY_WAKEUP},	  {0x65, KEY_SEARCH},	{0x6c, KEY_MAIL},
};

/* Beyond F12, without the prefix. */
static const struct {
	uint8_t number;
	uint8_t code;
} high[] = {
	{0x54, KEY_SYSRQ}, {0x59, KEY_KPEQUAL}, {0x70, KEY_KATAKANAHIRAGANA},
	{0x73, KEY_RO},	   {0x79, KEY_HENKAN},	{0x7b, KEY_MUHENKAN},
	{0x7d, KEY_YEN},   {0x7e, KEY_KPCOMMA},
};

static struct vgpu_vnc_key find_character(char c)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(rows); i++) {
		const char *plain = strchr(rows[i].plain, c);
		const char *shifted = strchr(rows[i].shifted, c);
		size_t at = 0;

		if (plain)
			at = (size_t)(plain - rows[i].plain);
		else if (shifted)
			at = (size_t)(shifted - rows[i].shifted);
		if (plain || shifted)
			return (struct vgpu_vnc_key){
				.code = rows[i].first + (uint32_t)at,
				.is_character = true,
				.is_shifted = !plain,
				.is_letter =
					(c | 0x20) >= 'a' && (c | 0x20) <= 'z',
			};
	}
	return (struct vgpu_vnc_key){};
}

struct vgpu_vnc_key vgpu_vnc_key_of_symbol(uint32_t keysym)
{
	if (keysym > 0x20 && keysym <= 0x7e)
		return find_character((char)keysym);
	if (keysym >= XK_F1 && keysym <= XK_F10)
		return (struct vgpu_vnc_key){.code = KEY_F1 + keysym - XK_F1};
	if (keysym > XK_F12 && keysym <= XK_F12 + 12)
		return (struct vgpu_vnc_key){.code = KEY_F13 + keysym - XK_F12 -
						     1};
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(named); i++)
		if (named[i].keysym == keysym)
			return (struct vgpu_vnc_key){.code = named[i].code};
	return (struct vgpu_vnc_key){};
}

uint32_t vgpu_vnc_key_of_number(uint32_t number)
{
	/* As Linux numbers keys: up to F12 by these very codes. */
	if (number <= KEY_F12 && number != 0x54 && number != 0x55)
		return number;
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(high); i++)
		if (high[i].number == number)
			return high[i].code;
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(prefixed); i++)
		if ((prefixed[i].number | 0x80U) == number)
			return prefixed[i].code;
	return 0;
}

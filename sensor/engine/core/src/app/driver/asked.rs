//! What parsers ask for, carried out: depths, changes of the protocol, flows to come.

use super::{touch, Driver};
use crate::app::flow_state::Recognition;
use crate::app::live::Live;
use crate::app::{ParseCx, ProtocolId};
use crate::direction::{Dir, PerDir};
use crate::flow::Flow;
use crate::setting;
use crate::stream::TcpSession;

impl Driver {
    /// Carries out what the parser asked for.
    pub(super) fn after(&mut self, flow: &mut Flow, session: &mut TcpSession, cx: &mut ParseCx) {
        if let Some(depth) = self.due_depth(flow) {
            session.side_mut(Dir::ToServer).set_depth(depth);
            session.side_mut(Dir::ToClient).set_depth(depth);
        }
        self.expectations.add(flow, &mut cx.expect, cx.ts);
        for dir in Dir::BOTH {
            if cx.trigger_raw[dir] {
                session.side_mut(dir).raw_trigger();
            }
            if cx.no_raw {
                session.side_mut(dir).raw_disable();
            }
        }
        if let Some(depth) = cx.depth {
            for dir in Dir::BOTH {
                session.side_mut(dir).set_depth(depth);
            }
        }
        if cx.bypass {
            flow.app.stopped = true;
        }
        if let Some(id) = cx.rename.and_then(ProtocolId::find) {
            flow.app.protocol = Some(id);
            flow.app.parser_protocol = Some(id);
        }
        if let Some(name) = cx.upgrade {
            flow.app.original = flow.app.parser_protocol;
            flow.app.expected = ProtocolId::find(name);
            if let (Some(protocol), Some(parser)) = (flow.app.parser_protocol.take(), flow.app.parser.take())
            {
                flow.app.retired.push((protocol, parser));
                flow.app.live = Live::default();
                flow.app.retired_inspected = PerDir::default();
            }
            flow.app.protocol = None;
            flow.app.recognition = PerDir::default();
            flow.app.wanted = PerDir::default();
            flow.app.closed = PerDir::default();
            if let (Some(id), Some(head)) = (flow.app.expected, &cx.upgrade_head) {
                // Both sides agreed: there is nothing to recognise.
                flow.app.recognition = PerDir::new(Recognition::Known, Recognition::Known);
                self.start(flow, true, Dir::ToServer, id);
                if let Some(parser) = flow.app.parser.as_mut() {
                    parser.upgraded(head);
                    touch(flow);
                }
            }
        }
    }

    /// How many bytes of each direction are to be reassembled for a parser that has just begun; 0 is no limit.
    #[inline]
    fn due_depth(&self, flow: &mut Flow) -> Option<u64> {
        if !std::mem::take(&mut flow.app.depth_due) {
            return None;
        }
        let of = usize::from(flow.app.parser_protocol?.0);
        let set = self.configs.get(of).and_then(|config| setting::size(&config["stream-depth"]));
        set.or_else(|| flow.app.parser.as_ref()?.stream_depth())
    }
}
